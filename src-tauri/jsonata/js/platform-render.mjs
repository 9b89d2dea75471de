// How the tests of the platform write down what an expression gives, in Node and in QuickJS alike.
const shape = (value) => {
  if (value === undefined) return 'undefined';
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value);
  if (typeof value === 'bigint') return `${value}n`;
  if (value instanceof Date) return `Date(${Number.isNaN(value.getTime()) ? 'invalid' : value.toISOString()})`;
  if (value instanceof ArrayBuffer) return `ArrayBuffer(${new Uint8Array(value).join()})`;
  if (ArrayBuffer.isView(value)) return `bytes(${Array.prototype.join.call(value)})`;
  if (Array.isArray(value)) return `[${value.map(shape).join(', ')}]`;
  if (typeof value === 'object' && value !== null)
    return `{${Object.entries(value)
      .map(([key, member]) => `${key}: ${shape(member)}`)
      .join(', ')}}`;
  return JSON.stringify(value) ?? String(value);
};

const render = async (expression) => {
  try {
    return shape(await (0, eval)(`(async () => (${expression}))()`));
  } catch (error) {
    return `${error.name}: ${error.message}`.toWellFormed();
  }
};
