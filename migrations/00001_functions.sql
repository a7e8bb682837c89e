-- +goose Up
-- +goose StatementBegin
-- A UUID of version 7 (RFC 9562): its first 48 bits are the time in
-- milliseconds, so that rows land at the end of their index.
CREATE FUNCTION uuidv7() RETURNS uuid LANGUAGE sql VOLATILE AS $$
    SELECT encode(
        set_bit(set_bit(
            overlay(uuid_send(gen_random_uuid())
                placing substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
                FROM 1 FOR 6),
            52, 1), 53, 1), 'hex')::uuid
$$;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION uuidv7();
