package vfs

import (
	"time"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// Checkpointer makes a VFS known to SQLite for a connection that moves pages
// from the log home into the database file beside a writer, and returns its
// name, for the vfs parameter of a database's location.
//
// SQLite writes the pages as fast as it can and syncs them all at once, if at
// all: for so long a commit's sync waits behind them. Through this VFS they are
// written out a slice at a time with pauses in between, so that a commit never
// waits for more than a slice, and the sync at the end finds little to do.
func Checkpointer() (name string, err error) { return checkpointer.register() }

// What is written out at once takes less time than a commit, and the pauses
// still let a thousand pages home in a twentieth of a second. A checkpoint that
// follows another within soon brings home the few pages that came meanwhile, and
// makes no pauses: the longer it takes, the more of them it leaves.
const (
	slice = 128 << 10 // bytes
	pause = 500 * time.Microsecond
	soon  = 20 * time.Millisecond
)

var checkpointer = wrapper{
	name: "countersign-checkpointer",
	kind: lib.SQLITE_OPEN_MAIN_DB,
	replace: func(m *lib.Tsqlite3_io_methods) {
		m.FxClose = function[closeFunc](closeHome)
		m.FxWrite = function[accessFunc](writeHome)
	},
	state: func(original *lib.Tsqlite3_io_methods) any { return &home{original: original} },
}

// home is an open database file.
type home struct {
	original *lib.Tsqlite3_io_methods
	written  int       // bytes since the last slice was written out
	from, to int64     // between what offsets they are
	last     int64     // offset of the last write
	at       time.Time // of the last slice
	follows  bool      // this checkpoint began soon after the one before
}

func writeHome(tls *libc.TLS, file, buf uintptr, n int32, offset int64) int32 {
	h := stateOf[home](file)
	if code := method[accessFunc](h.original.FxWrite)(tls, file, buf, n, offset); code != lib.SQLITE_OK {
		return code
	}
	if offset <= h.last { // a checkpoint writes in the order of the file: another has begun
		h.follows = time.Since(h.at) < soon
	}
	h.last = offset
	if h.written == 0 {
		h.from, h.to = offset, offset
	}
	h.written += int(n)
	h.from, h.to = min(h.from, offset), max(h.to, offset+int64(n))
	if h.written < slice {
		return lib.SQLITE_OK
	}
	h.written = 0
	if !writeOut(file, h.from, h.to-h.from) {
		return lib.SQLITE_IOERR_FSYNC
	}
	if !h.follows {
		time.Sleep(pause) //nolint:forbidigo // for the disk's sake
	}
	h.at = time.Now() //nolint:forbidigo // likewise
	return lib.SQLITE_OK
}

func closeHome(tls *libc.TLS, file uintptr) int32 {
	h := stateOf[home](file)
	files.Delete(file)
	return method[closeFunc](h.original.FxClose)(tls, file)
}
