/**
 * For torture only (`test/torture`): the worker kills itself with SIGKILL at a named point. A point is `before:` or `after:` and
 * the name of an activity or of a method of the store, for example `after:advanceBranch` or `before:settleEffect`. `after` an
 * activity is when its effects are done and the engine has not heard of it.
 */
import { readFileSync, rmSync } from 'node:fs';
import type { ActivityInboundCallsInterceptor } from '@temporalio/worker';

export interface CrashPoints {
  interceptor(activity: string): ActivityInboundCallsInterceptor;
  /** The same store, with a point before and after each of its methods. */
  watch<Store extends object>(store: Store): Store;
}

/** @param file holds the point to die at; it is taken away when that is reached, so that each is reached once */
export function createCrashPoints(file: string): CrashPoints {
  const reach = (point: string): void => {
    let armed: string;
    try {
      armed = readFileSync(file, 'utf8');
    } catch {
      return;
    }
    if (armed !== point) return;
    rmSync(file);
    process.kill(process.pid, 'SIGKILL');
  };
  const around = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    reach(`before:${name}`);
    const result = await work();
    reach(`after:${name}`);
    return result;
  };
  return {
    interceptor: (activity) => ({
      execute: async (input, next) => await around(activity, async () => await next(input)),
    }),
    watch: (store) =>
      new Proxy(store, {
        get(target, name, receiver) {
          const value: unknown = Reflect.get(target, name, receiver);
          if (typeof value !== 'function' || typeof name !== 'string') return value;
          return async (...given: unknown[]) =>
            await around(name, async () => await Reflect.apply(value, target, given));
        },
      }),
  };
}
