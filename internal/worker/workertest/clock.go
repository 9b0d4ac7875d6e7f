package workertest

import (
	"container/heap"
	"time"
)

// clock is virtual time: it jumps from one due thing to the next.
type clock struct {
	now time.Time
	due agenda
	n   int // things ever put on the agenda: what is due at the same time happens in that order
}

// after lets do happen once d has passed.
func (c *clock) after(d time.Duration, do func()) { c.at(c.now.Add(d), do) }

// at lets do happen at t, or next where t is past.
func (c *clock) at(t time.Time, do func()) {
	if t.Before(c.now) {
		t = c.now
	}
	c.n++
	heap.Push(&c.due, item{at: t, n: c.n, do: do})
}

// step lets the next thing happen. It is false when nothing is left, or nothing before the limit.
func (c *clock) step(limit time.Time) bool {
	if len(c.due) == 0 || c.due[0].at.After(limit) {
		return false
	}
	next := heap.Pop(&c.due).(item)
	c.now = next.at
	next.do()
	return true
}

type item struct {
	at time.Time
	n  int
	do func()
}

// agenda is a heap, earliest first.
type agenda []item

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	if c := a[i].at.Compare(a[j].at); c != 0 {
		return c < 0
	}
	return a[i].n < a[j].n
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(item)) }
func (a *agenda) Pop() any {
	last := len(*a) - 1
	x := (*a)[last]
	(*a)[last] = item{}
	*a = (*a)[:last]
	return x
}
