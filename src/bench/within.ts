// Patience with what may never answer.

/** What the promise gives. Throws    Error, where it gives nothing in so many milliseconds */
export async function within<T>(milliseconds: number, work: T | Promise<T>): Promise<T> {
  if (!(work instanceof Promise) || milliseconds === Infinity) return work;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${milliseconds / 1000} s`)), milliseconds);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
