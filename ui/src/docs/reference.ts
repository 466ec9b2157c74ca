import {
  type AsyncApi,
  type Content,
  follow,
  type Named,
  type OpenApi,
  type Operation,
  type OrReference,
  type Response,
} from "./documents.ts";
import { type Field, fieldOf, fieldsOf, type Shape, shapesOf, type TypePart, typeOf } from "./schema.ts";

/** One way to write a body down. */
export interface Media {
  readonly media: string;
  readonly type: readonly TypePart[];
  /** Types of problems, where it is one. */
  readonly problems: readonly string[];
  readonly examples: readonly { readonly name: string; readonly text: string }[];
}

export interface Answer {
  readonly status: string;
  readonly description: string;
  readonly headers: readonly Field[];
  readonly contents: readonly Media[];
}

/** What has an anchor of its own, and words to be found by. */
interface Entry {
  readonly anchor: string;
  readonly words: string;
}

export interface Call extends Entry {
  readonly method: string;
  readonly path: string;
  readonly summary: string;
  readonly description: string;
  readonly isForOperators: boolean;
  readonly parameters: readonly (Field & { readonly place: string })[];
  readonly body: { readonly description: string; readonly contents: readonly Media[] } | null;
  readonly answers: readonly Answer[];
}

export interface Socket extends Entry {
  readonly path: string;
  readonly title: string;
  readonly description: string;
  readonly messages: readonly { readonly title: string; readonly type: readonly TypePart[] }[];
  readonly closeCodes: readonly { readonly code: number; readonly reason: string }[];
}

export interface NamedSchema extends Entry {
  readonly name: string;
  readonly description: string;
  readonly type: readonly TypePart[];
  readonly shapes: readonly Shape[];
}

export interface Group {
  readonly name: string;
  readonly description: string;
  readonly calls: readonly Call[];
}

/** Both documents, as they are read. */
export interface Reference {
  readonly title: string;
  readonly version: string;
  readonly paragraphs: readonly string[];
  readonly groups: readonly Group[];
  /** Answers that any path may give. */
  readonly anywhere: readonly Answer[];
  readonly socketParagraphs: readonly string[];
  readonly sockets: readonly Socket[];
  readonly schemas: readonly NamedSchema[];
}

/** Reads the documents. */
export function readReference(openapi: OpenApi, asyncapi: AsyncApi): Reference {
  const calls = Object.entries(openapi.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({
      tag: operation.tags[0],
      call: readCall(openapi, method, path, operation),
    })),
  );
  return {
    title: openapi.info.title,
    version: openapi.info.version,
    paragraphs: openapi.info.description.split("\n\n"),
    groups: openapi.tags.map(({ name, description }) => ({
      name,
      description,
      calls: calls.filter(({ tag }) => tag === name).map(({ call }) => call),
    })),
    anywhere: readAnywhere(openapi),
    socketParagraphs: asyncapi.info.description.split("\n\n"),
    sockets: readSockets(asyncapi),
    schemas: readSchemas(openapi),
  };
}

/** The anchor of a schema. */
export const schemaAnchor = (name: string): string => `schema-${name}`;

function readCall(openapi: OpenApi, method: string, path: string, operation: Operation): Call {
  const { summary, description = "", operationId, security } = operation;
  const parameters = (operation.parameters ?? []).map((parameter) => {
    const found = follow(openapi, parameter);
    const field = fieldOf(found.name, found.schema ?? {}, found.required ?? false, found.description);
    return { ...field, place: found.in };
  });
  const body = operation.requestBody && follow(openapi, operation.requestBody);
  const answers = Object.entries(operation.responses).map(([status, response]) =>
    readAnswer(openapi, status, response),
  );
  const words = [
    method,
    path,
    summary,
    description,
    operationId,
    JSON.stringify([parameters, body, answers]),
  ];
  return {
    anchor: `op-${method}-${path}`,
    words: words.join(" ").toLowerCase(),
    method: method.toUpperCase(),
    path,
    summary,
    description,
    isForOperators: security !== undefined,
    parameters,
    body: body
      ? { description: body.description ?? "", contents: readContents(openapi, body.content) }
      : null,
    answers,
  };
}

function readAnswer(openapi: OpenApi, status: string, response: OrReference<Response>): Answer {
  const { description, headers = {}, content = {} } = follow(openapi, response);
  const fields = Object.entries(headers).map(([name, header]) => {
    const found = follow(openapi, header);
    return fieldOf(name, found.schema ?? {}, found.required ?? false, found.description);
  });
  return { status, description, headers: fields, contents: readContents(openapi, content) };
}

function readContents(openapi: OpenApi, content: Named<Content>): readonly Media[] {
  return Object.entries(content).map(([media, { schema = {}, examples = {} }]) => {
    const kind = schema.properties?.["type"];
    const kinds = kind?.enum ?? (kind?.const === undefined ? [] : [kind.const]);
    return {
      media,
      type: typeOf(schema),
      problems: kinds.map(String),
      examples: Object.entries(examples).map(([name, example]) => {
        const { summary, value } = follow(openapi, example);
        return { name: summary ?? name, text: JSON.stringify(value, null, 2) };
      }),
    };
  });
}

/** The answers that no operation refers to are those of any path. */
function readAnywhere(openapi: OpenApi): readonly Answer[] {
  const paths = JSON.stringify(openapi.paths);
  const responses = Object.entries(openapi.components.responses);
  const unused = responses.filter(([name]) => !paths.includes(`"#/components/responses/${name}"`));
  return unused.map(([, response]) => {
    const { content = {} } = follow(openapi, response);
    const status = Object.values(content)[0]?.schema?.properties?.["status"]?.const;
    return readAnswer(openapi, status === undefined ? "any" : String(status), response);
  });
}

function readSockets(asyncapi: AsyncApi): readonly Socket[] {
  return Object.values(asyncapi.channels).map((channel) => {
    const messages = Object.values(channel.messages).map((message) => {
      const { title, payload } = follow(asyncapi, message);
      return { title, type: typeOf(payload.schema) };
    });
    const { address: path, title, description, "x-close-codes": closeCodes } = channel;
    const words = ["websocket", path, title, description, JSON.stringify([messages, closeCodes])];
    return {
      anchor: `socket-${path}`,
      words: words.join(" ").toLowerCase(),
      ...{ path, title, description, messages, closeCodes },
    };
  });
}

function readSchemas(openapi: OpenApi): readonly NamedSchema[] {
  return Object.entries(openapi.components.schemas).map(([name, schema]) => ({
    anchor: schemaAnchor(name),
    words: `${name} ${JSON.stringify(fieldsOf(openapi, schema))} ${JSON.stringify(schema)}`.toLowerCase(),
    name,
    description: schema.description ?? "",
    type: typeOf(schema),
    shapes: shapesOf(openapi, schema),
  }));
}
