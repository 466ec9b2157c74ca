import type { ReactNode } from "react";

/** What an input needs to belong to its label, hint and error. */
export interface FieldIds {
  readonly id: string;
  readonly "aria-describedby": string;
  readonly "aria-invalid": boolean;
}

interface FieldProps {
  /** Unique on the page. */
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
    <div className="till-field">
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

interface SelectProps {
  readonly ids: FieldIds;
  readonly value: string;
  readonly options: readonly string[];
  readonly onChange: (value: string) => void;
  readonly testId: string;
}

/** A choice of the node's names. */
export function Select({ ids, value, options, onChange, testId }: SelectProps) {
  return (
    <select
      {...ids}
      className="input"
      value={value}
      data-testid={testId}
      onChange={(event) => onChange(event.target.value)}
    >
      {options.map((option) => (
        <option key={option}>{option}</option>
      ))}
    </select>
  );
}
