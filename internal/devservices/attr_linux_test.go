package devservices

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestServersEndWithAKilledSupervisor(t *testing.T) {
	s := start(t, Options{Postgres: true, Redis: true})
	pids := []int{s.Postgres.PID(), s.Redis.PID()}
	for _, pid := range pids {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil {
			t.Fatal(err)
		}
		supervisor, err := strconv.Atoi(strings.Fields(string(stat))[3])
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(supervisor, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	awaitGone(t, s.dir, pids...)
}
