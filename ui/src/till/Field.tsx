import type { InputHTMLAttributes, ReactNode } from "react";

/** What an input needs to belong to its label, hint and error. */
export interface FieldIds {
  readonly id: string;
  readonly "aria-describedby": string;
  readonly "aria-invalid": boolean;
}

interface FieldProps {
  /** Unique on the page; the input's test id as well. */
  readonly id: string;
  readonly label: string;
  readonly hint?: string;
  readonly error: string | undefined;
  readonly errorTestId: string;
  readonly children: (ids: FieldIds) => ReactNode;
}

/** A labelled input with its hint and its error. */
export function Field({ id, label, hint, error, errorTestId, children }: FieldProps) {
  const about = `${id}-about`;
  return (
    <div className={`till-field ${id}-field`}>
      <label htmlFor={id}>{label}</label>
      {children({ id, "aria-describedby": about, "aria-invalid": error !== undefined })}
      <div id={about} className="till-about">
        {error === undefined ? (
          hint
        ) : (
          <span className="till-error" data-testid={errorTestId}>
            {error}
          </span>
        )}
      </div>
    </div>
  );
}

interface ValueProps {
  readonly ids: FieldIds;
  readonly value: string;
  readonly onValue: (value: string) => void;
}

/** A choice of the node's names. */
export function Select({
  ids,
  value,
  options,
  onValue,
}: ValueProps & { readonly options: readonly string[] }) {
  return (
    <select
      {...ids}
      className="input"
      value={value}
      data-testid={ids.id}
      onChange={(event) => onValue(event.target.value)}
    >
      {options.map((option) => (
        <option key={option}>{option}</option>
      ))}
    </select>
  );
}

type TextProps = ValueProps &
  Pick<InputHTMLAttributes<HTMLInputElement>, "type" | "inputMode" | "step" | "min" | "max" | "spellCheck">;

/** A typed value, kept as it was typed. */
export function TextInput({ ids, value, onValue, ...more }: TextProps) {
  return (
    <input
      {...ids}
      {...more}
      className="input num"
      autoComplete="off"
      value={value}
      data-testid={ids.id}
      onChange={(event) => onValue(event.target.value)}
    />
  );
}
