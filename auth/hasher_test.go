package auth_test

import (
	"strings"
	"testing"

	"fanfare/auth"
)

func hash(t *testing.T, password string) string {
	t.Helper()
	s, err := auth.NewHasher().Hash(t.Context(), password)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestHashAndVerify(t *testing.T) {
	long := strings.Repeat("x", 99)
	for _, test := range []struct {
		name, stored, given string
		want                bool
	}{
		{"same", "kQ7#mv2$Xp", "kQ7#mv2$Xp", true},
		{"other case", "kQ7#mv2$Xp", "kq7#mv2$xp", false},
		{"the hundredth character counts", long + "1", long + "2", false},
		{"composed or not", "Caf\u00e9-4711", "Cafe\u0301-4711", true},
		{"a compatibility form is another password", "\ufb01sh-Café-4", "fish-Café-4", false},
		{"any space is a space", "two words 9A!", "two\u00a0words 9A!", true},
		{"a control character is not dropped", "kQ7#mv2$Xp", "kQ7#mv2$Xp\x00", false},
		{"empty", "kQ7#mv2$Xp", "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			ok, rehash, err := auth.NewHasher().Verify(t.Context(), hash(t, test.stored), test.given)
			if err != nil || ok != test.want || rehash {
				t.Errorf("ok %t, rehash %t, %v, want %t", ok, rehash, err, test.want)
			}
		})
	}
}

func TestHashIsSaltedPHC(t *testing.T) {
	one, other := hash(t, "kQ7#mv2$Xp"), hash(t, "kQ7#mv2$Xp")
	if one == other {
		t.Error("two hashes of a password are equal")
	}
	if !strings.HasPrefix(one, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("hash %s", one)
	}
}

// The vector is one of the reference implementation's own tests: "password"
// and "somesalt" at 64 MiB (github.com/P-H-C/phc-winner-argon2, src/test.c).
func TestVerifyReadsParametersOfOtherHashes(t *testing.T) {
	const stored = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	ok, rehash, err := auth.NewHasher().Verify(t.Context(), stored, "password")
	if err != nil || !ok || !rehash {
		t.Errorf("ok %t, rehash %t, %v, want a match that is to be made anew", ok, rehash, err)
	}
	ok, rehash, err = auth.NewHasher().Verify(t.Context(), stored, "Password")
	if err != nil || ok || rehash {
		t.Errorf("ok %t, rehash %t, %v, want no match", ok, rehash, err)
	}
}

func TestVerifyRefusesBrokenHashes(t *testing.T) {
	good := hash(t, "kQ7#mv2$Xp")
	for name, stored := range map[string]string{
		"empty":          "",
		"bcrypt":         "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
		"argon2i":        strings.Replace(good, "argon2id", "argon2i", 1),
		"other version":  strings.Replace(good, "v=19", "v=16", 1),
		"no iterations":  strings.Replace(good, "t=2", "t=0", 1),
		"no parallelism": strings.Replace(good, "p=1", "p=0", 1),
		"a terabyte":     strings.Replace(good, "m=19456", "m=1073741824", 1),
		"no key":         good[:strings.LastIndexByte(good, '$')+1],
		"not base64":     good[:len(good)-1] + "!",
	} {
		t.Run(name, func(t *testing.T) {
			ok, _, err := auth.NewHasher().Verify(t.Context(), stored, "kQ7#mv2$Xp")
			if err == nil || ok {
				t.Errorf("ok %t, %v, want an error", ok, err)
			}
		})
	}
}
