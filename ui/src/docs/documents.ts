/** The parts of OpenAPI 3.1 and AsyncAPI 3.0 that the node's documents use. */

/** A JSON Schema. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly format?: string;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly properties?: Named<Schema>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
}

export type Named<T> = Readonly<Record<string, T>>;
/** What stands at another place of the document. */
export interface Reference {
  readonly $ref: string;
}
export type OrReference<T> = T | Reference;

export interface Example {
  readonly summary?: string;
  readonly value: unknown;
}
export interface Content {
  readonly schema?: Schema;
  readonly examples?: Named<OrReference<Example>>;
}
export interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly description?: string;
  readonly schema?: Schema;
  readonly example?: unknown;
}
export interface Body {
  readonly description?: string;
  readonly required?: boolean;
  readonly content: Named<Content>;
}
export interface Response {
  readonly description: string;
  readonly headers?: Named<OrReference<Omit<Parameter, "name" | "in">>>;
  readonly content?: Named<Content>;
}
export interface Operation {
  readonly tags: readonly string[];
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly security?: readonly unknown[];
  readonly parameters?: readonly OrReference<Parameter>[];
  readonly requestBody?: OrReference<Body>;
  readonly responses: Named<OrReference<Response>>;
}

export interface OpenApi {
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly paths: Named<Named<Operation>>;
  readonly components: {
    readonly schemas: Named<Schema>;
    readonly responses: Named<OrReference<Response>>;
  } & Named<unknown>;
}

export interface Message {
  readonly title: string;
  readonly payload: { readonly schema: Schema };
}
export interface Channel {
  readonly address: string;
  readonly title: string;
  readonly description: string;
  readonly messages: Named<OrReference<Message>>;
  readonly "x-close-codes": readonly { readonly code: number; readonly reason: string }[];
}
export interface AsyncApi {
  readonly info: { readonly description: string };
  readonly channels: Named<Channel>;
}

/** What a reference leads to, or the value itself where it is none. */
export function follow<T>(document: unknown, value: OrReference<T>): T {
  if (!isReference(value)) return value;
  const keys = value.$ref.split("#/")[1]?.split("/") ?? [];
  const found = keys.reduce<unknown>((at, key) => (isNamed(at) ? at[plain(key)] : undefined), document);
  if (found === undefined) throw new Error(`${value.$ref} leads nowhere`);
  return follow(document, found as OrReference<T>);
}

/** The last part of a reference: what a component is called. */
export function nameOf(reference: string): string {
  return plain(reference.slice(reference.lastIndexOf("/") + 1));
}

function isReference(value: unknown): value is Reference {
  return isNamed(value) && typeof value["$ref"] === "string";
}

function isNamed(value: unknown): value is Named<unknown> {
  return typeof value === "object" && value !== null;
}

function plain(key: string): string {
  return key.replaceAll("~1", "/").replaceAll("~0", "~");
}
