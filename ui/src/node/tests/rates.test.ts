import { describe, expect, it } from "vitest";
import { type Sample, isReset, ratesFor, ratesOf, sampleOf, withSample } from "../model/rates.ts";
import { directFlow, lagging, loggedFlow, picture } from "./fixtures.ts";

function samplesOf(...pictures: ReturnType<typeof picture>[]): readonly Sample[] {
  return pictures.reduce<readonly Sample[]>((kept, one) => {
    const sample = sampleOf(one);
    return sample ? withSample(kept, sample) : kept;
  }, []);
}

describe("rates", () => {
  it("are unknown with one picture", () => {
    const rates = ratesOf(samplesOf(picture()));
    expect(rates.frames).toBeNull();
    expect(ratesFor(rates, "v1").accepted).toBeNull();
  });

  it("are the differences of two pictures by the node's clock", () => {
    const after = loggedFlow({
      accepted_total: 1_500,
      refused_total: 20,
      appends: { count: 60, orders: 1_400, seconds: 0.54 },
      read_total: 1_300,
      stored_total: 1_200,
      batches: { count: 110, orders: 1_200, seconds: 1.05 },
    });
    const rates = ratesOf(samplesOf(picture(0), picture(500, { flows: { v2: after }, frames_total: 510 })));
    const own = ratesFor(rates, "v2");
    expect(own).toMatchObject({
      accepted: 1_000,
      refused: 40,
      appended: 800,
      read: 600,
      stored: 400,
      batchOrders: 20,
    });
    expect(own.commitMs).toBeCloseTo(5);
    expect(own.appendMs).toBeCloseTo(4);
    expect(rates.frames).toBe(20);
  });

  it("leave unknown what a direct version does not have, and means of nothing", () => {
    const own = ratesFor(ratesOf(samplesOf(picture(0), picture(500))), "v1");
    expect(own).toMatchObject({ accepted: 0, appended: null, read: null, batchOrders: null, commitMs: null });
  });

  it("look back over a second however often pictures come", () => {
    const pictures = Array.from({ length: 60 }, (_, index) =>
      picture(index * 50, {
        flows: { v1: directFlow({ accepted_total: index < 30 ? 0 : (index - 30) * 10 }) },
      }),
    );
    const samples = samplesOf(...pictures);
    expect(samples.length).toBeLessThan(15);
    expect(ratesFor(ratesOf(samples), "v1").accepted).toBeCloseTo(200, 0);
  });

  it("begin anew where sums went down", () => {
    const before = picture(0);
    const after = picture(500, { frames_total: 3, flows: { v1: directFlow({ accepted_total: 1 }) } });
    expect(isReset(before, after)).toBe(true);
    expect(isReset(before, picture(500))).toBe(false);
    expect(ratesOf(samplesOf(before, after)).frames).toBeNull();
  });

  it("take no notice of a version that left the picture or came into it", () => {
    const rates = ratesOf(samplesOf(picture(0, { flows: {} }), picture(500, { flows: { v2: lagging(3) } })));
    expect(ratesFor(rates, "v2").accepted).toBeNull();
    expect(isReset(picture(0), picture(10, { flows: {} }))).toBe(false);
  });

  it("are unknown after a long silence", () => {
    expect(ratesOf(samplesOf(picture(0), picture(60_000))).frames).toBeNull();
  });
});
