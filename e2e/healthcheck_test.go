package e2e

import (
	"syscall"
	"testing"
	"time"
)

// TestHealthcheckTellsWhatHangs: a process that is paused holds its sockets and
// its place in the list of processes, as one that hangs does.
func TestHealthcheckTellsWhatHangs(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 0)
	api := c.api()
	addr := "HTTP_ADDR=" + c.apis[len(c.apis)-1][len("http://"):]
	processes := map[string]*process{"api": api, "worker": c.worker("worker"), "scheduler": c.scheduler("scheduler")}
	health := func(kind string, env ...string) int {
		code, _ := run(t, c.env(append(env, addr)...), "healthcheck", kind)
		return code
	}
	for kind, p := range processes {
		eventually(t, patience, "the "+kind+" to be healthy", func() bool { return health(kind) == 0 })
		p.signal(syscall.SIGSTOP)
		eventually(t, patience, "the paused "+kind+" to be found out", func() bool { return health(kind) == 1 })
		if kind != "api" {
			if code := health(kind, "DATABASE_URL=postgres://nobody@127.0.0.1:1/none"); code != 0 {
				t.Errorf("without the database the check of the %s exits with %d: restarting it would not help", kind, code)
			}
		}
		p.signal(syscall.SIGCONT)
		eventually(t, patience, "the "+kind+" to be healthy again", func() bool { return health(kind) == 0 })
	}
	for kind, p := range processes {
		if code := p.terminate(20 * time.Second); code != 0 {
			t.Errorf("the %s exited with %d", kind, code)
		}
		eventually(t, patience, "the end of the "+kind+" to be found out", func() bool { return health(kind) == 1 })
	}
}
