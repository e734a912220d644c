package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// exchangeTimeout bounds one request: the load stops by itself even if the
// server hangs.
const exchangeTimeout = 30 * time.Second

// conn is a keep-alive HTTP/1.1 connection that costs as little as possible,
// since the load shares the processors with the server: it writes a request
// that is ready and reads just as much of the answer as it must.
type conn struct {
	net.Conn
	r    *bufio.Reader
	body []byte
	out  []byte
}

func dial(ctx context.Context, addr string) (*conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", addr, err)
	}
	return &conn{Conn: c, r: bufio.NewReaderSize(c, 8<<10)}, nil
}

// request appends a request to the connection's buffer, ready to send.
func (c *conn) request(method, path, key string, body []byte) []byte {
	b := append(c.out[:0], method...) //nolint:gocritic // the buffer is kept below
	b = append(b, ' ')
	b = append(b, path...)
	b = append(b, " HTTP/1.1\r\nHost: bench\r\n"...)
	if key != "" {
		b = append(b, "apiKey: "...)
		b = append(b, key...)
		b = append(b, "\r\n"...)
	}
	if body != nil {
		b = append(b, "Content-Type: application/json\r\nContent-Length: "...)
		b = strconv.AppendInt(b, int64(len(body)), 10)
		b = append(b, "\r\n"...)
	}
	b = append(b, "\r\n"...)
	b = append(b, body...)
	c.out = b
	return b
}

var errShape = errors.New("an answer of an unexpected shape")

// exchange sends a request and returns the answer's status and body, which is
// valid until the next exchange.
func (c *conn) exchange(request []byte) (int, []byte, error) {
	if err := c.SetDeadline(time.Now().Add(exchangeTimeout)); err != nil {
		return 0, nil, err
	}
	if _, err := c.Write(request); err != nil {
		return 0, nil, err
	}
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return 0, nil, err
	}
	if len(line) < 12 {
		return 0, nil, errShape
	}
	status, err := strconv.Atoi(string(line[9:12]))
	if err != nil {
		return 0, nil, errShape
	}
	length := -1
	for {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			return 0, nil, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		if name, value, ok := bytes.Cut(line, []byte(": ")); ok && bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, nil, errShape
			}
		}
	}
	if length < 0 {
		return 0, nil, fmt.Errorf("%w: no length with status %d", errShape, status)
	}
	if cap(c.body) < length {
		c.body = make([]byte, length)
	}
	c.body = c.body[:length]
	if _, err := io.ReadFull(c.r, c.body); err != nil {
		return 0, nil, err
	}
	return status, c.body, nil
}
