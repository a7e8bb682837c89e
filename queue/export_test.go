package queue

import "time"

// TrustWakeUps sets the fallback aside: only a wake-up ends the wait.
func (s *Server) TrustWakeUps() { s.waker.longest = time.Hour }

// WholeSecond is wholeSecond.
func WholeSecond(t time.Time) time.Time { return wholeSecond(t) }
