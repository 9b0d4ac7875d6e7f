package main

import (
	"fmt"
	"os"
	"sync"
)

// logFile keeps log lines in a file, or nowhere.
type logFile struct {
	mu   sync.Mutex
	file *os.File
}

func openLogs(path string) (*logFile, error) {
	if path == "" {
		return &logFile{}, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("--logs: %w", err)
	}
	return &logFile{file: f}, nil
}

func (l *logFile) write(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		_, _ = fmt.Fprintln(l.file, line)
	}
}

func (l *logFile) close() {
	if l.file != nil {
		_ = l.file.Close()
	}
}
