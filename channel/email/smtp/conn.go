package smtp

import (
	"errors"
	"net"
	"sync/atomic"
)

const longestAnswer = 256 << 10 // bytes; a server's certificates are among them

// errAnswerTooLong ends a server's answer that does not end by itself.
var errAnswerTooLong = errors.New("the server's answer is too long")

// boundedConn is a connection whose peer may say so much between two things
// that it is told.
type boundedConn struct {
	net.Conn
	heard atomic.Int64
}

func (c *boundedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.heard.Add(int64(n)) > longestAnswer {
		return 0, errAnswerTooLong
	}
	return n, err
}

func (c *boundedConn) Write(p []byte) (int, error) {
	c.heard.Store(0)
	return c.Conn.Write(p)
}
