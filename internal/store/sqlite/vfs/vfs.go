// Package vfs puts itself between SQLite and the files of a database
// (https://www.sqlite.org/vfs.html): one way of writing for the connection that
// commits, one for the connection that makes checkpoints. Everything else is
// left to SQLite's default VFS.
package vfs

import (
	"errors"
	"sync"
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// The functions of a VFS and of its files, as SQLite calls them.
type (
	openFunc     = func(tls *libc.TLS, vfs, name, file uintptr, flags int32, outFlags uintptr) int32
	closeFunc    = func(tls *libc.TLS, file uintptr) int32
	accessFunc   = func(tls *libc.TLS, file, buf uintptr, n int32, offset int64) int32
	truncateFunc = func(tls *libc.TLS, file uintptr, size int64) int32
	syncFunc     = func(tls *libc.TLS, file uintptr, flags int32) int32
	sizeFunc     = func(tls *libc.TLS, file, size uintptr) int32
)

// wrapper is the default VFS with other methods for one kind of file.
type wrapper struct {
	name    string
	kind    int32                                       // the flag that such files are opened with
	replace func(*lib.Tsqlite3_io_methods)              // puts our methods in place of some
	state   func(original *lib.Tsqlite3_io_methods) any // what a file's methods remember

	once    sync.Once
	err     error
	mu      sync.Mutex
	methods map[uintptr]uintptr // original methods → ours
}

// SQLite's list of VFSs belongs to the process, and so does what is known of
// them: the wrappers by their VFS's pointer, and by a file's pointer the state of
// the open ones that wrappers gave methods.
var wrappers, files sync.Map

// stateOf is what a file's methods remember: they are called for files that
// open kept, of the kind that they were made for.
func stateOf[T any](file uintptr) *T {
	s, _ := files.Load(file)
	return s.(*T) //nolint:forcetypeassert // as said
}

var errRegister = errors.New("register a way for SQLite to write its files")

// defaultVFS is SQLite's own; 0 if there is none.
var defaultVFS = sync.OnceValue(func() uintptr {
	tls := libc.NewTLS() // what is allocated stays as long as the process
	if lib.Xsqlite3_initialize(tls) != lib.SQLITE_OK {
		return 0
	}
	return lib.Xsqlite3_vfs_find(tls, 0)
})

// registering is held while SQLite's list of VFSs becomes longer: what one of
// them is made from, the default one, links to the next.
var registering sync.Mutex

// register makes the wrapper known to SQLite and returns its name.
func (w *wrapper) register() (name string, err error) {
	w.once.Do(func() {
		registering.Lock()
		defer registering.Unlock()
		tls := libc.NewTLS() // as above
		original := defaultVFS()
		ours := libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(lib.Tsqlite3_vfs{})))
		name, err := libc.CString(w.name)
		if original == 0 || ours == 0 || err != nil {
			w.err = errRegister
			return
		}
		w.methods = map[uintptr]uintptr{}
		wrappers.Store(ours, w)
		vfs := at[lib.Tsqlite3_vfs](ours)
		*vfs = *at[lib.Tsqlite3_vfs](original)
		vfs.FpNext, vfs.FzName, vfs.FxOpen = 0, name, function[openFunc](open)
		if lib.Xsqlite3_vfs_register(tls, ours, 0) != lib.SQLITE_OK {
			w.err = errRegister
		}
	})
	return w.name, w.err
}

// open opens a file as the default VFS does, and gives those of the wrapper's
// kind its methods.
func open(tls *libc.TLS, vfs, name, file uintptr, flags int32, outFlags uintptr) int32 {
	found, _ := wrappers.Load(vfs)
	w := found.(*wrapper) //nolint:forcetypeassert // SQLite calls us for those that register made
	code := method[openFunc](at[lib.Tsqlite3_vfs](defaultVFS()).FxOpen)(tls, defaultVFS(), name, file, flags, outFlags)
	if code != lib.SQLITE_OK || flags&w.kind == 0 {
		return code
	}
	opened := at[lib.Tsqlite3_file](file)
	original := at[lib.Tsqlite3_io_methods](opened.FpMethods)
	ours := w.methodsFor(tls, opened.FpMethods)
	if ours == 0 {
		_ = method[closeFunc](original.FxClose)(tls, file)
		opened.FpMethods = 0
		return lib.SQLITE_NOMEM
	}
	files.Store(file, w.state(original))
	opened.FpMethods = ours
	return lib.SQLITE_OK
}

// methodsFor is the wrapper's table of methods for files that have the original
// one; 0 without memory.
func (w *wrapper) methodsFor(tls *libc.TLS, original uintptr) uintptr {
	w.mu.Lock()
	defer w.mu.Unlock()
	if ours, ok := w.methods[original]; ok {
		return ours
	}
	ours := libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(lib.Tsqlite3_io_methods{})))
	if ours == 0 {
		return 0
	}
	m := at[lib.Tsqlite3_io_methods](ours)
	*m = *at[lib.Tsqlite3_io_methods](original)
	w.replace(m)
	w.methods[original] = ours
	return ours
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
