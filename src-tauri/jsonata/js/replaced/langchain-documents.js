// What the text splitters need of @langchain/core, which is large otherwise.
export class BaseDocumentTransformer {}
export class Document {
  constructor({ pageContent, metadata = {}, id }) {
    this.pageContent = pageContent ?? '';
    this.metadata = metadata;
    this.id = id;
  }
}
