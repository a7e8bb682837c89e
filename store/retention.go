package store

import (
	"context"
	"fmt"
	"time"
)

// PruneJobs deletes jobs that ended longer ago than keep, with their events and
// steps, and launches that old which no job belongs to any more, with their
// deliveries. It goes in small steps, the oldest first.
func (s *Store) PruneJobs(ctx context.Context, keep time.Duration) error {
	old := fmt.Sprintf(`now() - make_interval(secs => %f)`, seconds(keep))
	if err := s.pruneSteps(ctx, `jobs WHERE finished_at < `+old, pruneJobBatch); err != nil {
		return err
	}
	for {
		var launches []string
		err := s.q(ctx).SelectContext(ctx, &launches, `SELECT id FROM launches l WHERE created_at < `+old+`
			AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.campaign_id = l.campaign_id AND j.payload->>'launchId' = l.id::text)
			ORDER BY created_at LIMIT 1`)
		if err != nil || len(launches) == 0 {
			return wrap(err, "looking for launches to prune")
		}
		if err := s.prune(ctx, `deliveries WHERE launch_id = '`+launches[0]+`'`); err != nil {
			return err
		}
		if _, err := s.q(ctx).ExecContext(ctx, `DELETE FROM launches WHERE id = $1`, launches[0]); err != nil {
			return wrap(err, "pruning a launch")
		}
	}
}
