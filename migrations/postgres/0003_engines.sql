-- Who stores what is in a log: its nodes' actors, or a job on another engine, which all nodes have to agree on. A log that is
-- not here is stored by actors.
CREATE TABLE coffee_rt.engines (
    source text PRIMARY KEY,
    -- actors, flink, or moving: nodes are to leave the consumer group, so that a job can begin where they are.
    engine text NOT NULL,
    -- Where a job that is gone can be taken up again, as its engine told last.
    checkpoint text,
    changed_at timestamptz NOT NULL DEFAULT now()
);
