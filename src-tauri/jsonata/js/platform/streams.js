// Streams Standard: ReadableStream with its default reader. Byte streams, piping and queuing strategies aren't needed by anything in the bundle.

function invalidState(message) {
  const error = new TypeError(`Invalid state: ${message}`);
  error.code = 'ERR_INVALID_STATE';
  return error;
}

/** A promise that can be settled from outside and whose rejection need not be handled. */
function deferred() {
  const result = Promise.withResolvers();
  result.promise.catch(() => undefined);
  return result;
}

export class ReadableStream {
  #source;
  #chunks = [];
  /** Reads that wait for a chunk. */
  #waiting = [];
  #state = 'readable';
  #error;
  #closeRequested = false;
  #pulling = false;
  #started = false;
  #reader = null;
  #controller;

  constructor(source = {}) {
    this.#source = source ?? {};
    this.#controller = this.#makeController();
    const start = this.#source.start?.(this.#controller);
    Promise.resolve(start).then(
      () => {
        this.#started = true;
        this.#pull();
      },
      (error) => this.#fail(error),
    );
  }

  static from(iterable) {
    const iterator = iterable[Symbol.asyncIterator]?.() ?? iterable[Symbol.iterator]();
    return new ReadableStream({
      async pull(controller) {
        const { done, value } = await iterator.next();
        if (done) controller.close();
        else controller.enqueue(await value);
      },
      cancel: (reason) => iterator.return?.(reason),
    });
  }

  #makeController() {
    const stream = this;
    return {
      get desiredSize() {
        return stream.#state === 'errored' ? null : stream.#state === 'closed' ? 0 : 1 - stream.#chunks.length;
      },
      enqueue(chunk) {
        if (stream.#closeRequested || stream.#state !== 'readable') throw invalidState('Controller is already closed');
        const read = stream.#waiting.shift();
        if (read) read.resolve({ value: chunk, done: false });
        else stream.#chunks.push(chunk);
        stream.#pull();
      },
      close() {
        if (stream.#closeRequested || stream.#state !== 'readable') throw invalidState('Controller is already closed');
        stream.#closeRequested = true;
        if (!stream.#chunks.length) stream.#finish();
      },
      error: (error) => stream.#fail(error),
    };
  }

  #finish() {
    this.#state = 'closed';
    for (const read of this.#waiting.splice(0)) read.resolve({ value: undefined, done: true });
    this.#reader?.closing.resolve(undefined);
  }

  #fail(error) {
    if (this.#state !== 'readable') return;
    this.#state = 'errored';
    this.#error = error;
    this.#chunks = [];
    for (const read of this.#waiting.splice(0)) read.reject(error);
    this.#reader?.closing.reject(error);
  }

  #pull() {
    if (!this.#started || this.#pulling || this.#state !== 'readable' || this.#closeRequested || !this.#source.pull) return;
    if (this.#chunks.length && !this.#waiting.length) return;
    this.#pulling = true;
    const settle = (then) => (value) => {
      this.#pulling = false;
      then(value);
    };
    new Promise((resolve) => resolve(this.#source.pull(this.#controller))).then(
      settle(() => {
        if (this.#waiting.length) this.#pull();
      }),
      settle((error) => this.#fail(error)),
    );
  }

  #read() {
    if (this.#state === 'errored') return Promise.reject(this.#error);
    if (this.#chunks.length) {
      const value = this.#chunks.shift();
      if (this.#closeRequested && !this.#chunks.length) this.#finish();
      else this.#pull();
      return Promise.resolve({ value, done: false });
    }
    if (this.#state === 'closed') return Promise.resolve({ value: undefined, done: true });
    const read = Promise.withResolvers();
    this.#waiting.push(read);
    this.#pull();
    return read.promise;
  }

  async #cancel(reason) {
    if (this.#state === 'errored') throw this.#error;
    if (this.#state === 'closed') return undefined;
    this.#chunks = [];
    this.#finish();
    await this.#source.cancel?.(reason);
    return undefined;
  }

  get locked() {
    return this.#reader !== null;
  }

  async cancel(reason) {
    if (this.locked) throw invalidState('ReadableStream is locked');
    return this.#cancel(reason);
  }

  getReader() {
    if (this.locked) throw invalidState('ReadableStream is locked');
    const stream = this;
    const reader = { closing: deferred() };
    const released = () => Promise.reject(invalidState('The reader is not attached to a stream'));
    const attached = () => stream.#reader === reader;
    this.#reader = reader;
    if (this.#state === 'closed') reader.closing.resolve(undefined);
    if (this.#state === 'errored') reader.closing.reject(this.#error);
    return {
      closed: reader.closing.promise,
      read: () => (attached() ? stream.#read() : released()),
      cancel: (reason) => (attached() ? stream.#cancel(reason) : released()),
      releaseLock() {
        if (!attached()) return;
        for (const read of stream.#waiting.splice(0)) read.reject(invalidState('Releasing reader'));
        reader.closing.reject(invalidState('Reader released'));
        stream.#reader = null;
      },
    };
  }

  tee() {
    const reader = this.getReader();
    const branches = [];
    const canceled = [];
    const cancelation = Promise.withResolvers();
    let reading;
    const pull = () => {
      reading ??= reader.read().then(
        ({ value, done }) => {
          reading = undefined;
          branches.forEach((branch, index) => {
            if (canceled[index]) return;
            if (done) branch.close();
            else branch.enqueue(value);
          });
          if (done) cancelation.resolve(undefined);
        },
        (error) => branches.forEach((branch) => branch.error(error)),
      );
      return reading;
    };
    const branch = (index) =>
      new ReadableStream({
        start: (controller) => void (branches[index] = controller),
        pull,
        cancel(reason) {
          canceled[index] = { reason };
          if (canceled[0] && canceled[1]) cancelation.resolve(reader.cancel(canceled.map((each) => each.reason)));
          return cancelation.promise;
        },
      });
    return [branch(0), branch(1)];
  }

  async *values({ preventCancel = false } = {}) {
    const reader = this.getReader();
    let ended = false;
    try {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) {
          ended = true;
          return;
        }
        yield value;
      }
    } catch (error) {
      ended = true;
      throw error;
    } finally {
      if (!ended && !preventCancel) await reader.cancel();
      reader.releaseLock();
    }
  }

  [Symbol.asyncIterator](options) {
    return this.values(options);
  }

  get [Symbol.toStringTag]() {
    return 'ReadableStream';
  }
}
