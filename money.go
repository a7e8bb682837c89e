package fanfare

import (
	"database/sql/driver"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Money is an amount in billionths of its currency's unit: fine enough for the
// price of one token, wide enough for a budget of nine billion. Amounts are
// never floats; in JSON and SQL they are decimal numbers.
type Money int64

// MoneyUnit is one dollar, euro, … .
const MoneyUnit Money = 1_000_000_000

const moneyDigits = 9

// ParseMoney reads a decimal number such as "12", "0.15" or "-3.5". It refuses
// exponents, more than nine decimals and what does not fit.
func ParseMoney(s string) (Money, error) {
	unsigned, negative := strings.CutPrefix(s, "-")
	whole, fraction, dotted := strings.Cut(unsigned, ".")
	fraction = strings.TrimRight(fraction, "0")
	if !isDigits(whole) || dotted && fraction != "" && !isDigits(fraction) || len(fraction) > moneyDigits {
		return 0, fmt.Errorf("parsing %q: want a decimal number with at most %d decimals", s, moneyDigits)
	}
	padded := whole + fraction + strings.Repeat("0", moneyDigits-len(fraction))
	n, err := strconv.ParseInt(padded, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("parsing %q: it must be below %d", s, math.MaxInt64/int64(MoneyUnit))
	}
	if negative {
		n = -n
	}
	return Money(n), nil
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

func (m Money) String() string {
	sign, n := "", uint64(m)
	if m < 0 {
		sign, n = "-", uint64(-m)
	}
	whole, fraction := n/uint64(MoneyUnit), n%uint64(MoneyUnit)
	if fraction == 0 {
		return sign + strconv.FormatUint(whole, 10)
	}
	return sign + strconv.FormatUint(whole, 10) + "." + strings.TrimRight(fmt.Sprintf("%09d", fraction), "0")
}

// MarshalJSON writes a JSON number.
func (m Money) MarshalJSON() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalJSON reads a JSON number, with or without an exponent.
func (m *Money) UnmarshalJSON(b []byte) error {
	s := string(b)
	if strings.ContainsAny(s, "eE") {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return fmt.Errorf("parsing %q as an amount: %w", s, err)
		}
		s = strconv.FormatFloat(f, 'f', -1, 64)
	}
	parsed, err := ParseMoney(s)
	if err != nil {
		return err
	}
	*m = parsed
	return nil
}

// Value stores m as a decimal, for a numeric column.
func (m Money) Value() (driver.Value, error) { return m.String(), nil }

// Scan reads a numeric column.
func (m *Money) Scan(src any) error {
	var s string
	switch v := src.(type) {
	case []byte:
		s = string(v)
	case string:
		s = v
	default:
		return fmt.Errorf("scanning %T into an amount", src)
	}
	parsed, err := ParseMoney(s)
	if err != nil {
		return err
	}
	*m = parsed
	return nil
}
