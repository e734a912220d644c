package vfs

import (
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// Writer makes a VFS known to SQLite that writes what a commit adds to the
// write-ahead log in a few large writes, and returns its name, for the vfs
// parameter of a database's location. By itself SQLite makes two small writes
// for every page, and with a group of callers in each commit those system
// calls cost more than the pages.
//
// Writes to a log that follow each other are gathered and handed down before
// anything that could tell the difference: a sync, a read, a truncation,
// asking for the size, closing. A commit is acknowledged behind its sync, and
// other connections read what a commit added only when it is synced, so
// nothing is seen later than without. A write that fails is reported by what
// made it happen, for a commit its sync.
func Writer() (name string, err error) { return writer.register() }

var writer = wrapper{
	name: "countersign-writer",
	kind: lib.SQLITE_OPEN_WAL,
	replace: func(m *lib.Tsqlite3_io_methods) {
		m.FxClose = function[closeFunc](closeLog)
		m.FxRead = function[accessFunc](readLog)
		m.FxWrite = function[accessFunc](writeLog)
		m.FxTruncate = function[truncateFunc](truncateLog)
		m.FxSync = function[syncFunc](syncLog)
		m.FxFileSize = function[sizeFunc](sizeLog)
	},
	state: func(original *lib.Tsqlite3_io_methods) any {
		return &log{original: original, buffer: make([]byte, 0, capacity)}
	},
}

// capacity is how many bytes are gathered before they are written without
// being asked for. SQLite's own VFS cannot write 128 KiB or more at once, and
// no write of SQLite's is larger than a page, which has 64 KiB at most.
const capacity = 120 << 10

// log is an open write-ahead log.
type log struct {
	original *lib.Tsqlite3_io_methods
	buffer   []byte // not yet written
	offset   int64  // where in the file the buffer begins
}

// flush writes what is gathered. It returns a result code.
func (l *log) flush(tls *libc.TLS, file uintptr) int32 {
	if len(l.buffer) == 0 {
		return lib.SQLITE_OK
	}
	b := l.buffer
	l.buffer = l.buffer[:0]
	start := uintptr(unsafe.Pointer(unsafe.SliceData(b)))                                    //nolint:gosec // the buffer stays where it is
	return method[accessFunc](l.original.FxWrite)(tls, file, start, int32(len(b)), l.offset) //nolint:gosec // at most capacity
}

func writeLog(tls *libc.TLS, file, buf uintptr, n int32, offset int64) int32 {
	l := stateOf[log](file)
	if offset != l.offset+int64(len(l.buffer)) || len(l.buffer)+int(n) > capacity {
		if code := l.flush(tls, file); code != lib.SQLITE_OK {
			return code
		}
		l.offset = offset
	}
	l.buffer = append(l.buffer, unsafe.Slice(at[byte](buf), n)...) //nolint:gosec // as SQLite says
	return lib.SQLITE_OK
}

// flushed hands down what is gathered, before anything that could tell the
// difference. It returns the file's original methods.
func flushed(tls *libc.TLS, file uintptr) (original *lib.Tsqlite3_io_methods, code int32) {
	l := stateOf[log](file)
	return l.original, l.flush(tls, file)
}

func readLog(tls *libc.TLS, file, buf uintptr, n int32, offset int64) int32 {
	original, code := flushed(tls, file)
	if code == lib.SQLITE_OK {
		code = method[accessFunc](original.FxRead)(tls, file, buf, n, offset)
	}
	return code
}

func truncateLog(tls *libc.TLS, file uintptr, size int64) int32 {
	original, code := flushed(tls, file)
	if code == lib.SQLITE_OK {
		code = method[truncateFunc](original.FxTruncate)(tls, file, size)
	}
	return code
}

func syncLog(tls *libc.TLS, file uintptr, flags int32) int32 {
	original, code := flushed(tls, file)
	if code == lib.SQLITE_OK {
		code = method[syncFunc](original.FxSync)(tls, file, flags)
	}
	return code
}

func sizeLog(tls *libc.TLS, file, size uintptr) int32 {
	original, code := flushed(tls, file)
	if code == lib.SQLITE_OK {
		code = method[sizeFunc](original.FxFileSize)(tls, file, size)
	}
	return code
}

func closeLog(tls *libc.TLS, file uintptr) int32 {
	l := stateOf[log](file)
	flushed := l.flush(tls, file)
	files.Delete(file)
	if code := method[closeFunc](l.original.FxClose)(tls, file); code != lib.SQLITE_OK {
		return code
	}
	return flushed
}
