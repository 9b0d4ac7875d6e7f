package ratelimit

import (
	"context"
	"strconv"
	"sync"
	"time"
)

// Memory is a Store within one process, for a handler without a shared one.
type Memory struct {
	mu        sync.Mutex
	documents map[string]memoryDocument
	now       func() time.Time
}

type memoryDocument struct {
	body    []byte
	version int
}

// NewMemory is an empty store.
func NewMemory(now func() time.Time) *Memory {
	return &Memory{documents: map[string]memoryDocument{}, now: now}
}

// Load implements Store.
func (m *Memory) Load(_ context.Context, name string) ([]byte, string, time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, found := m.documents[name]
	if !found {
		return nil, "", m.now(), nil
	}
	return d.body, strconv.Itoa(d.version), m.now(), nil
}

// Forget deletes a document.
func (m *Memory) Forget(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.documents, name)
}

// Swap implements Store.
func (m *Memory) Swap(_ context.Context, name string, body []byte, etag string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, found := m.documents[name]
	if found && etag != strconv.Itoa(d.version) || !found && etag != "" {
		return ErrConflict
	}
	m.documents[name] = memoryDocument{body, d.version + 1}
	return nil
}
