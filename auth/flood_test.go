package auth

import (
	"context"
	"errors"
	"runtime"
	"testing"
)

// With every core busy nothing more is hashed, and who gives up waiting goes.
func TestHasherWaitsForACore(t *testing.T) {
	h := NewHasher()
	busy := int64(runtime.GOMAXPROCS(0))
	if !h.cores.TryAcquire(busy) {
		t.Fatalf("less than %d hashes at a time", busy)
	}
	if h.cores.TryAcquire(1) {
		t.Fatalf("more than %d hashes at a time", busy)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Hash(ctx, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("Hash: %v, want to wait", err)
	}
	if err := h.VerifyNobody(ctx, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("VerifyNobody: %v, want to wait", err)
	}
	h.cores.Release(busy)
	if err := h.VerifyNobody(t.Context(), "x"); err != nil {
		t.Errorf("VerifyNobody: %v", err)
	}
	if !h.cores.TryAcquire(busy) {
		t.Error("a core was not given back")
	}
}
