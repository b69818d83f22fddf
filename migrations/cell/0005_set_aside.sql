-- rows that a worker could not read or process, set aside so that the others go on
-- depends: 0001_roles

-- migrate: apply

-- `item_id` is left alone by `worker` until `retry_at`, later each time. Closed: it went through, or was not found wanting again.
-- `reason` is the kind and place of an error, never its words. `envelope`: a sealed message that was admitted and could not be acted upon.
create table set_aside (
    compliance_region text not null,
    worker text not null,
    item_id text not null,
    reason text not null,
    attempts integer not null default 1,
    since instant not null default now(),
    retry_at instant not null,
    closed_at instant,
    envelope bytea,
    primary key (compliance_region, worker, item_id)
) partition by list (compliance_region);
create index set_aside_open on set_aside (compliance_region, worker) where closed_at is null;

call kovra_protect('set_aside');

grant select, insert on set_aside to kovra_writer;
grant update (reason, attempts, since, retry_at, closed_at, envelope) on set_aside to kovra_writer;

-- migrate: rollback
