/** What comes first, else `late`. */
export async function within<T>(ms: number, ...waited: readonly Promise<T>[]): Promise<T | 'late'> {
  const late = Promise.withResolvers<'late'>();
  const timer = setTimeout(() => late.resolve('late'), ms);
  try {
    return await Promise.race([...waited, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
