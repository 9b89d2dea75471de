// Truto's functions that ask a service of Truto's or of others.
const SERVICES = {
  parseDocument: "sends the document to a service of Truto's",
  convertMdToPdf: "sends the text to a service of Truto's",
  generateEmbeddingsCohere: 'sends the texts to Cohere',
};

export const unavailable = Object.fromEntries(
  Object.entries(SERVICES).map(([name, does]) => [
    name,
    () => {
      throw { code: 'not_available', token: name, message: `$${name} ${does}. Expressions have no network here.` };
    },
  ]),
);
