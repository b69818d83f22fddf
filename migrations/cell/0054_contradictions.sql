-- contradictions: what a scheme has said of one payment that cannot both be true
-- depends: 0053_returns

-- migrate: apply

-- The rail's record keeps the first final word on a payment. A later one that says the opposite is kept here before the scheme is
-- answered. "settled" after the money was given back is booked as a loss (the payment's own life shows it); "refused" after it
-- was posted moves nothing until a person has looked. "both": one report said the two at once.
create table contradictions (
    compliance_region text not null,
    transfer_id text not null,
    tenant_id text not null,
    rail text not null,
    said text not null check (said in ('settled', 'refused', 'both')),
    scheme_reference text,
    reason_code text,
    found_at instant not null default now(),
    primary key (compliance_region, transfer_id, said),
    foreign key (compliance_region, transfer_id) references transfers (compliance_region, transfer_id)
) partition by list (compliance_region);

-- What was paid after it was given back: few, for ever, and looked at every few seconds.
create index transfers_lost on transfers (rail) where state in ('LOSING', 'LOST');

call kovra_protect('contradictions');

grant select, insert on contradictions to kovra_writer;

-- migrate: rollback
