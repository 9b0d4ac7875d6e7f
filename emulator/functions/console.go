package functions

import (
	"bytes"
	"sync"
)

// maxLine is where a console line is cut, in bytes.
const maxLine = 1 << 20

// console passes the handler's output on, a line at a time, one call at a time.
type console struct {
	mu     sync.Mutex
	output func(line string, stderr bool)
}

func newConsole(output func(string, bool)) *console {
	if output == nil {
		output = func(string, bool) {}
	}
	return &console{output: output}
}

func (c *console) writer(stderr bool) *lineWriter { return &lineWriter{console: c, stderr: stderr} }

// lineWriter is one stream of one process.
type lineWriter struct {
	console *console
	stderr  bool
	rest    []byte
}

func (w *lineWriter) Write(data []byte) (int, error) {
	w.console.mu.Lock()
	defer w.console.mu.Unlock()
	w.rest = append(w.rest, data...)
	for {
		end := bytes.IndexByte(w.rest, '\n')
		if end < 0 {
			break
		}
		w.emit(w.rest[:end])
		w.rest = w.rest[end+1:]
	}
	if len(w.rest) > maxLine {
		w.emit(w.rest)
		w.rest = nil
	}
	return len(data), nil
}

// flush passes on a last line without a line end.
func (w *lineWriter) flush() {
	w.console.mu.Lock()
	defer w.console.mu.Unlock()
	if len(w.rest) > 0 {
		w.emit(w.rest)
		w.rest = nil
	}
}

func (w *lineWriter) emit(line []byte) {
	w.console.output(string(bytes.TrimSuffix(line, []byte("\r"))), w.stderr)
}
