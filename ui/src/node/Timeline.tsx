import { memo } from "react";
import { clockTime, millis } from "../lib/format.ts";
import { type Incident, type Step, type StepName, stepsOf } from "./model/recovery.ts";
import "./timeline.css";

const TITLES: Record<StepName, string> = {
  killed: "Killed",
  restarted: "Restarted",
  "first-order": "First order",
  drained: "Backlog drained",
};

const OTHERWISE: Record<Exclude<Step["state"], "done">, string> = {
  waiting: "waiting…",
  skipped: "not needed",
  unknown: "unknown",
};

/** How the last fault healed, step by step. */
export const Timeline = memo(function Timeline({ incident }: { incident: Incident | null }) {
  return (
    <section
      className="card node-panel node-timeline"
      aria-labelledby="node-timeline-title"
      data-testid="timeline"
    >
      <header className="node-head">
        <h2 id="node-timeline-title">Recovery from the last fault</h2>
        <p className="node-note">{incident ? <About incident={incident} /> : "No fault seen yet"}</p>
      </header>
      <Steps incident={incident} />
    </section>
  );
});

/** The steps on one line; also those that are still to come. */
export function Steps({ incident }: { incident: Incident | null }) {
  return (
    <ol className="node-steps">
      {(incident ? stepsOf(incident) : NOT_BEGUN).map((step) => (
        <li
          key={step.name}
          className={`node-step node-step-${step.state}`}
          data-testid={`timeline-${step.name}`}
          data-done={step.state === "done"}
        >
          <span className="node-step-mark" aria-hidden="true" />
          <span className="node-step-title">{titleOf(step.name, incident)}</span>
          <span className="node-step-ms">{textOf(step, incident)}</span>
        </li>
      ))}
    </ol>
  );
}

const NOT_BEGUN: Step[] = (["killed", "restarted", "first-order", "drained"] as const).map((name) => ({
  name,
  state: "unknown",
  ms: null,
}));

function About({ incident }: { incident: Incident }) {
  const next = incident.nextGeneration;
  return (
    <>
      <strong>{incident.mode ?? "failure"}</strong> of <code>{incident.path}</code> at{" "}
      {clockTime(incident.faultAt)}, generation {incident.generation}
      {next === null ? "" : ` → ${next}`}
    </>
  );
}

function titleOf(name: StepName, incident: Incident | null): string {
  if (name !== "killed") return TITLES[name];
  if (incident?.mode === "stall") return "Stalled";
  if (incident?.mode === "panic") return "Panicked";
  return incident && incident.mode === null ? "Failed" : TITLES[name];
}

function textOf(step: Step, incident: Incident | null): string {
  if (!incident) return "—";
  if (step.state === "done") return step.name === "killed" ? "0 ms" : `+${millis(step.ms)}`;
  if (step.state === "waiting" && step.name === "first-order" && incident.startedAt !== null)
    return "waits for an order";
  if (step.state === "waiting" && step.name === "killed") return "waits for a message";
  return OTHERWISE[step.state];
}
