import type { Events, Picture } from "../../lib/wire.ts";
import {
  type EventStore,
  type Gap,
  NO_EVENTS,
  afterRestart,
  contradicts,
  filled,
  openGap,
  withEvents,
} from "./events.ts";
import { type Rates, type Sample, isReset, ratesOf, sampleOf, withSample } from "./rates.ts";
import { type Incident, NO_RECOVERY, type Recovery, advance } from "./recovery.ts";

/** What the page remembers of the node; a new object at each change. */
export interface NodeRecord {
  picture: Picture | null;
  rates: Rates;
  incident: Incident | null;
  events: EventStore;
}

/** An unanswered question for events: which run and numbers it is for. */
export interface Question {
  run: number;
  gap: Gap;
}

const EMPTY: NodeRecord = {
  picture: null,
  rates: { versions: {}, frames: null },
  incident: null,
  events: NO_EVENTS,
};

/** Keeps what is needed of past pictures, also while no view of the node is shown; read by `useSyncExternalStore`. */
export class Recorder {
  private record = EMPTY;
  private samples: readonly Sample[] = [];
  private recovery: Recovery = NO_RECOVERY;
  private startedAt: string | null = null;
  /** The pictures have shown a restart that the node's own start time has not confirmed yet. */
  private awaitsStart = false;
  /** False between a noticed restart and the next picture: sums of before say nothing then. */
  private sameRun = true;
  private asked: { events: EventStore; question: Question | null } = { events: NO_EVENTS, question: null };
  private readonly listeners = new Set<() => void>();

  /** Calls `listener` after each change; the answer ends that. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** What is remembered now. */
  readonly snapshot = (): NodeRecord => this.record;

  /** Forgets everything. */
  reset(): void {
    this.startedAt = null;
    this.awaitsStart = false;
    this.samples = [];
    this.recovery = NO_RECOVERY;
    this.change(EMPTY);
  }

  /** Notes when the node says that it started. */
  noteStart(startedAt: string): void {
    if (startedAt === this.startedAt) return;
    const first = this.startedAt === null;
    this.startedAt = startedAt;
    if (first || this.awaitsStart) this.awaitsStart = false;
    else this.restart();
  }

  /** Takes a picture; the same one again changes nothing. */
  observe(picture: Picture): void {
    const { picture: before, events } = this.record;
    if (picture === before) return;
    if (contradicts(events, picture.events) || (before && this.sameRun && isReset(before, picture))) {
      this.awaitsStart = true;
      this.restart();
    }
    this.sameRun = true;
    const known = this.record.events;
    const next = withEvents(known, picture.events);
    this.recovery = advance(this.recovery, next === known ? [] : picture.events, picture);
    const sample = sampleOf(picture);
    if (sample) this.samples = withSample(this.samples, sample);
    this.change({
      picture,
      events: next,
      incident: this.recovery.incident,
      rates: ratesOf(this.samples),
    });
  }

  /** What to ask the node for: events between those that are known. */
  question(): Question | null {
    const { events } = this.record;
    // Asked at each picture, and found by a walk over all events: walked again only when these change.
    if (this.asked.events !== events) {
      const gap = openGap(events);
      this.asked = { events, question: gap && { run: events.run, gap } };
    }
    return this.asked.question;
  }

  /** Takes the node's answer. */
  answer(question: Question, answer: Events): void {
    const { picture, events: known } = this.record;
    const events = filled(known, question.run, question.gap, answer);
    if (events === known || !picture) return;
    this.recovery = advance(this.recovery, answer.events, picture);
    this.change({ ...this.record, events, incident: this.recovery.incident });
  }

  private restart(): void {
    if (this.record.picture === null) return;
    this.sameRun = false;
    this.samples = [];
    this.recovery = NO_RECOVERY;
    this.change({
      ...this.record,
      incident: null,
      rates: EMPTY.rates,
      events: afterRestart(this.record.events),
    });
  }

  private change(record: NodeRecord): void {
    this.record = record;
    for (const listener of this.listeners) listener();
  }
}

/** The page's own; there is one node. */
export const recorder = new Recorder();
