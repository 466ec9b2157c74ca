import { follow, nameOf, type OpenApi, type Schema } from "./documents.ts";

/** A piece of a type as it is shown; `schema` is the component that it names. */
export interface TypePart {
  readonly text: string;
  readonly schema: string | null;
}

/** One field, or one parameter, as a row of a table. */
export interface Field {
  readonly name: string;
  readonly type: readonly TypePart[];
  readonly isRequired: boolean;
  readonly description: string;
  /** Limits, defaults, formats. */
  readonly rules: readonly string[];
}

/** One of the shapes that a value may have. */
export interface Shape {
  readonly description: string;
  readonly fields: readonly Field[];
}

/** A type in words. */
export function typeOf(schema: Schema): readonly TypePart[] {
  if (schema.$ref !== undefined) return [{ text: nameOf(schema.$ref), schema: nameOf(schema.$ref) }];
  if (schema.const !== undefined) return word(JSON.stringify(schema.const));
  if (schema.enum) return word(schema.enum.map((value) => JSON.stringify(value)).join(" | "));
  const parts = schema.oneOf ?? (schema.type === undefined ? schema.allOf : undefined);
  if (parts) return joined(parts.map(typeOf), schema.oneOf ? " or " : " and ");
  if (schema.items) return [...word("array of "), ...typeOf(schema.items)];
  const { additionalProperties: others } = schema;
  if (typeof others === "object") return [...word("object of "), ...typeOf(others)];
  return word([schema.type ?? "anything"].flat().join(" or "));
}

/** What a value must keep to beyond its type. */
export function rulesOf(schema: Schema): readonly string[] {
  const { minimum, maximum, minLength, maxLength, minItems, maxItems } = schema;
  return [
    range(minimum, maximum, ""),
    range(minLength, maxLength, " characters"),
    range(minItems, maxItems, " items"),
    schema.format && `format ${schema.format}`,
    schema.pattern && `matches ${schema.pattern}`,
    schema.default !== undefined && `default ${JSON.stringify(schema.default)}`,
  ].filter((rule) => typeof rule === "string" && rule !== "") as string[];
}

/** The shapes of a value: one for an object, several where it may be one of several. */
export function shapesOf(document: OpenApi, schema: Schema): readonly Shape[] {
  const shapes = (schema.oneOf ?? [schema]).map((one) => ({
    description: one === schema ? "" : (one.description ?? ""),
    fields: fieldsOf(document, one),
  }));
  return shapes.filter(({ fields }) => fields.length > 0);
}

/** The fields of an object, those of objects within it included. */
export function fieldsOf(document: OpenApi, schema: Schema, before = ""): readonly Field[] {
  const parts = (schema.allOf ?? []).flatMap((part) => fieldsOf(document, follow(document, part), before));
  const own = Object.entries(schema.properties ?? {}).flatMap(([key, field]) => {
    const name = before + key;
    return [fieldOf(name, field, schema.required?.includes(key) ?? false), ...within(document, name, field)];
  });
  return [...parts, ...own];
}

/** A row of what has a name and a schema. */
export function fieldOf(name: string, schema: Schema, isRequired: boolean, description?: string): Field {
  return {
    name,
    type: typeOf(schema),
    isRequired,
    description: description ?? schema.description ?? "",
    rules: rulesOf(schema),
  };
}

/** The fields of objects that have no name of their own. */
function within(document: OpenApi, name: string, schema: Schema): readonly Field[] {
  if (schema.$ref !== undefined) return [];
  const { additionalProperties: others } = schema;
  return [
    ...fieldsOf(document, schema, `${name}.`),
    ...(schema.oneOf ?? []).flatMap((one) => within(document, name, one)),
    ...(schema.items ? within(document, `${name}[]`, schema.items) : []),
    ...(typeof others === "object" ? within(document, `${name}.*`, others) : []),
  ];
}

function range(least: number | undefined, most: number | undefined, unit: string): string {
  if (least === undefined && most === undefined) return "";
  if (least === undefined) return `at most ${most}${unit}`;
  if (most === undefined) return `at least ${least}${unit}`;
  return least === most ? `${least}${unit}` : `${least} to ${most}${unit}`;
}

function word(text: string): readonly TypePart[] {
  return [{ text, schema: null }];
}

function joined(types: readonly (readonly TypePart[])[], by: string): readonly TypePart[] {
  return types.flatMap((type, index) => (index === 0 ? type : [...word(by), ...type]));
}
