// Package walbuffer makes SQLite write what a commit adds to the write-ahead
// log in a few large writes. By itself SQLite makes two small ones for every
// page, and with a group of callers in each commit those system calls cost
// more than the pages.
//
// It is a VFS around the default one. Writes to a log that follow each other
// are gathered and handed down before anything that could tell the
// difference: a sync, a read, a truncation, asking for the size, closing. A
// commit is acknowledged behind its sync, and other connections read what a
// commit added only when it is synced, so nothing is seen later than without.
// A write that fails is reported by what made it happen, for a commit its
// sync.
package walbuffer

import (
	"errors"
	"sync"
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// capacity is how many bytes are gathered before they are written without
// being asked for. SQLite's own VFS cannot write 128 KiB or more at once, and
// no write of SQLite's is larger than a page, which has 64 KiB at most.
const capacity = 120 << 10

const vfsName = "countersign-walbuffer"

// The functions of a VFS and of its files, as SQLite calls them.
type (
	openFunc     = func(tls *libc.TLS, vfs, name, file uintptr, flags int32, outFlags uintptr) int32
	closeFunc    = func(tls *libc.TLS, file uintptr) int32
	accessFunc   = func(tls *libc.TLS, file, buf uintptr, n int32, offset int64) int32
	truncateFunc = func(tls *libc.TLS, file uintptr, size int64) int32
	syncFunc     = func(tls *libc.TLS, file uintptr, flags int32) int32
	sizeFunc     = func(tls *libc.TLS, file, size uintptr) int32
)

// registered is SQLite's one list of VFSs: it belongs to the process, and what
// is on it to everyone who opens a database.
var registered struct {
	once     sync.Once
	err      error
	original uintptr  // the default VFS
	logs     sync.Map // file pointer → *log
	mu       sync.Mutex
	methods  map[uintptr]uintptr // original methods → ours
}

// Register makes the VFS known to SQLite and returns its name, for the vfs
// parameter of a database's location.
func Register() (name string, err error) {
	registered.once.Do(func() { registered.err = register() })
	return vfsName, registered.err
}

var errRegister = errors.New("register a way for SQLite to write its log")

func register() error {
	tls := libc.NewTLS() // what is allocated below stays as long as the process
	if lib.Xsqlite3_initialize(tls) != lib.SQLITE_OK {
		return errRegister
	}
	original := lib.Xsqlite3_vfs_find(tls, 0)
	ours := libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(lib.Tsqlite3_vfs{})))
	name, err := libc.CString(vfsName)
	if original == 0 || ours == 0 || err != nil {
		return errRegister
	}
	registered.original, registered.methods = original, map[uintptr]uintptr{}
	vfs := at[lib.Tsqlite3_vfs](ours)
	*vfs = *at[lib.Tsqlite3_vfs](original)
	vfs.FpNext, vfs.FzName, vfs.FxOpen = 0, name, function[openFunc](open)
	if lib.Xsqlite3_vfs_register(tls, ours, 0) != lib.SQLITE_OK {
		return errRegister
	}
	return nil
}

// log is an open write-ahead log.
type log struct {
	original *lib.Tsqlite3_io_methods
	buffer   []byte // not yet written
	offset   int64  // where in the file the buffer begins
}

func logOf(file uintptr) *log {
	l, _ := registered.logs.Load(file)
	return l.(*log) //nolint:forcetypeassert // our methods are those of files that open kept
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

func open(tls *libc.TLS, _, name, file uintptr, flags int32, outFlags uintptr) int32 {
	code := method[openFunc](at[lib.Tsqlite3_vfs](registered.original).FxOpen)(tls, registered.original, name, file, flags, outFlags)
	if code != lib.SQLITE_OK || flags&lib.SQLITE_OPEN_WAL == 0 {
		return code
	}
	opened := at[lib.Tsqlite3_file](file)
	l := &log{original: at[lib.Tsqlite3_io_methods](opened.FpMethods), buffer: make([]byte, 0, capacity)}
	ours := methodsFor(tls, opened.FpMethods)
	if ours == 0 {
		_ = method[closeFunc](l.original.FxClose)(tls, file)
		opened.FpMethods = 0
		return lib.SQLITE_NOMEM
	}
	registered.logs.Store(file, l)
	opened.FpMethods = ours
	return lib.SQLITE_OK
}

// methodsFor is our table of methods for files that have the original one; 0
// without memory.
func methodsFor(tls *libc.TLS, original uintptr) uintptr {
	registered.mu.Lock()
	defer registered.mu.Unlock()
	if ours, ok := registered.methods[original]; ok {
		return ours
	}
	ours := libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(lib.Tsqlite3_io_methods{})))
	if ours == 0 {
		return 0
	}
	m := at[lib.Tsqlite3_io_methods](ours)
	*m = *at[lib.Tsqlite3_io_methods](original)
	m.FxClose = function[closeFunc](closeLog)
	m.FxRead = function[accessFunc](readLog)
	m.FxWrite = function[accessFunc](writeLog)
	m.FxTruncate = function[truncateFunc](truncateLog)
	m.FxSync = function[syncFunc](syncLog)
	m.FxFileSize = function[sizeFunc](sizeLog)
	registered.methods[original] = ours
	return ours
}

func writeLog(tls *libc.TLS, file, buf uintptr, n int32, offset int64) int32 {
	l := logOf(file)
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
	l := logOf(file)
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
	l := logOf(file)
	flushed := l.flush(tls, file)
	registered.logs.Delete(file)
	if code := method[closeFunc](l.original.FxClose)(tls, file); code != lib.SQLITE_OK {
		return code
	}
	return flushed
}

// at is what lies at an address of SQLite's memory, which Go does not manage.
func at[T any](address uintptr) *T { return *(**T)(unsafe.Pointer(&address)) } //nolint:gosec // it is no pointer to Go

// method is the function behind a pointer of SQLite's: what function made of it.
func method[F any](pointer uintptr) F {
	holder := &struct{ pointer uintptr }{pointer}
	return *(*F)(unsafe.Pointer(holder)) //nolint:gosec // what a function value is
}

// function is the pointer that SQLite calls a declared function by, in the
// form that the translated engine uses: what a Go function value points to
// (https://go.dev/s/go11func). A closure has none that lasts.
func function[F any](f F) uintptr { return *(*uintptr)(unsafe.Pointer(&f)) } //nolint:gosec // likewise
