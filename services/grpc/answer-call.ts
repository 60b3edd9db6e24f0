import type { sendUnaryData } from '@grpc/grpc-js';
import { statusOf } from './status.ts';

/** Answers a call that has one answer with what `work` comes to, or with the status of its error. Never rejects. */
export async function answerCall(callback: sendUnaryData<object>, work: () => Promise<object>): Promise<void> {
  let answer: object;
  try {
    answer = await work();
  } catch (error) {
    callback(statusOf(error));
    return;
  }
  callback(null, answer);
}
