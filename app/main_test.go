package app

import (
	"testing"

	"fanfare/internal/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }
