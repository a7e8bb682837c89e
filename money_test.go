package fanfare_test

import (
	"encoding/json"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"fanfare"
)

func TestParseMoney(t *testing.T) {
	for text, want := range map[string]fanfare.Money{
		"0": 0, "-0": 0, "12": 12 * fanfare.MoneyUnit, "0.15": fanfare.MoneyUnit * 15 / 100, "-3.5": -fanfare.MoneyUnit * 35 / 10,
		"0.000000001": 1, "1.10": fanfare.MoneyUnit * 11 / 10, "1.000000000000": fanfare.MoneyUnit, "1.": fanfare.MoneyUnit,
		"007": 7 * fanfare.MoneyUnit, "9223372036.854775807": math.MaxInt64, "-9223372036.854775807": -math.MaxInt64,
	} {
		if got, err := fanfare.ParseMoney(text); got != want || err != nil {
			t.Errorf("ParseMoney(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "-", ".", ".5", "--1", "+1", "1e3", "1,5", " 1", "1 ", "0x1", "1.0000000001", "1.-5", "1.2.3", "-.5", "٣", "NaN", "Infinity",
		"9223372036.854775808", "9223372037", "99999999999999999999",
	} {
		if got, err := fanfare.ParseMoney(text); err == nil {
			t.Errorf("ParseMoney(%q) = %d, want it refused", text, got)
		}
	}
}

// TestMoneySurvivesEveryWayItIsWritten, at the edges and for amounts drawn at
// random over all magnitudes.
func TestMoneySurvivesEveryWayItIsWritten(t *testing.T) {
	amounts := []fanfare.Money{0, 1, -1, fanfare.MoneyUnit, -fanfare.MoneyUnit, math.MaxInt64, -math.MaxInt64}
	for range 5000 {
		amounts = append(amounts, fanfare.Money(rand.Int64()>>rand.IntN(63)), -fanfare.Money(rand.Int64()>>rand.IntN(63)))
	}
	for _, want := range amounts {
		text := want.String()
		exact, ok := new(big.Rat).SetString(text)
		if !ok || exact.Cmp(big.NewRat(int64(want), int64(fanfare.MoneyUnit))) != 0 {
			t.Fatalf("%d is written as %q", want, text)
		}
		if got, err := fanfare.ParseMoney(text); got != want || err != nil {
			t.Fatalf("ParseMoney(%q) = %d, %v; want %d", text, got, err, want)
		}
		var fromJSON, fromSQL fanfare.Money
		raw, err := json.Marshal(want)
		if err == nil {
			err = json.Unmarshal(raw, &fromJSON)
		}
		if err != nil || fromJSON != want {
			t.Fatalf("through JSON %s: %d, %v; want %d", raw, fromJSON, err, want)
		}
		value, err := want.Value()
		if err == nil {
			err = fromSQL.Scan([]byte(value.(string)))
		}
		if err != nil || fromSQL != want {
			t.Fatalf("through SQL %v: %d, %v; want %d", value, fromSQL, err, want)
		}
	}
}

func TestMoneyInJSON(t *testing.T) {
	for text, want := range map[string]fanfare.Money{
		`1e3`: 1000 * fanfare.MoneyUnit, `1.5E+1`: 15 * fanfare.MoneyUnit, `25e-3`: fanfare.MoneyUnit / 40, `0.10`: fanfare.MoneyUnit / 10,
	} {
		var got fanfare.Money
		if err := json.Unmarshal([]byte(text), &got); got != want || err != nil {
			t.Errorf("%s is read as %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{`"1"`, `true`, `{}`, `[1]`, `1e300`, `1e-10`, `1e99999`, `0.0000000001`} {
		var got fanfare.Money
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("%s is read as %d, want it refused", text, got)
		}
	}
	var optional struct{ Budget *fanfare.Money }
	if err := json.Unmarshal([]byte(`{"Budget": null}`), &optional); optional.Budget != nil || err != nil {
		t.Errorf("null is read as %v, %v", optional.Budget, err)
	}
}

func TestMoneyScansOnlyText(t *testing.T) {
	var m fanfare.Money
	if err := m.Scan("2.5"); m != fanfare.MoneyUnit*5/2 || err != nil {
		t.Errorf("Scan of a string: %d, %v", m, err)
	}
	for _, src := range []any{nil, 2.5, int64(2), []byte("NaN"), "x"} {
		if err := m.Scan(src); err == nil || m != fanfare.MoneyUnit*5/2 {
			t.Errorf("Scan(%v): %d, %v; want it refused", src, m, err)
		}
	}
}
