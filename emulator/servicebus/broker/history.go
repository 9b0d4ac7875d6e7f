package broker

import "time"

// history remembers message ids for the window of the duplicate detection.
type history struct {
	until map[string]time.Time
	order []string // by the time they came
}

// add reports whether the id is new, and remembers it from now on. A duplicate does not make the
// window longer.
func (h *history) add(id string, now time.Time, window time.Duration) bool {
	for len(h.order) > 0 && !h.until[h.order[0]].After(now) {
		delete(h.until, h.order[0])
		h.order = h.order[1:]
	}
	if _, known := h.until[id]; known {
		return false
	}
	h.until[id] = now.Add(window)
	h.order = append(h.order, id)
	return true
}
