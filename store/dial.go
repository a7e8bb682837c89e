package store

import (
	"context"
	"net"
	"time"
)

// dialer makes connections on which no single read or write can hang.
//
// lib/pq gives up on a context only after the server has answered, so a query
// to a frozen server would hang for as long as the server does (measured with
// v1.10: a 500 ms query, past 15 s). A deadline below the protocol comes back
// in time whatever the server does, and the pool drops the connection.
type dialer struct {
	limit time.Duration
	net   net.Dialer
}

func (d dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

func (d dialer) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return d.DialContext(ctx, network, address)
}

func (d dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.limit)
	defer cancel()
	conn, err := d.net.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &deadlineConn{Conn: conn, limit: d.limit}, nil
}

type deadlineConn struct {
	net.Conn
	limit time.Duration
}

func (c *deadlineConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.limit)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

func (c *deadlineConn) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.limit)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}
