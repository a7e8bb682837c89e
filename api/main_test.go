package api_test

import (
	"testing"

	"fanfare/internal/apitest"
	"fanfare/internal/testdb"
)

func TestMain(m *testing.M) { testdb.Main(apitest.Suite{M: m, Excused: excused()}) }

// excused are the answers of success that no test of this package can get, and
// why. The list can only become shorter: a test that gets one of them fails.
func excused() map[string]string { return map[string]string{} }
