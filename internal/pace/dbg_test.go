package pace

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"
)

func TestDbg(t *testing.T) {
	k, _ := strconv.Atoi(os.Getenv("K"))
	mi, _ := strconv.Atoi(os.Getenv("M"))
	if k == 0 {
		t.Skip("set K and M")
	}
	m := models()[mi]()
	o := newOurs(k)
	d := &dbg{ours: o}
	d.lim = m
	r := run(1000, k, m, d, 1)
	fmt.Println(r)
}

type dbg struct {
	*ours
	lim    model
	next   time.Duration
	n, ref int
}

func (d *dbg) answered(i int, m *message, left []Allowance, ra time.Duration, now time.Time) {
	d.ours.answered(i, m, left, ra, now)
	if ra > 0 {
		d.ref++
	} else {
		d.n++
	}
	el := now.Sub(epoch)
	if el >= d.next {
		d.next = el + time.Minute*3
		p := d.pacers[i]
		rg := p.regions["region"]
		rate, share, known := rg.rate(now)
		fmt.Printf("%6.1fm started %4d refused %d left %v ra %s K=%.1f rate %.3f share %.1f known %v front %d credit %.2f until %.1f\n", el.Minutes(), d.n, d.ref, left, ra, p.share.instances(), rate, share, known, rg.line.front(now).ticket, rg.credit, rg.until.Sub(epoch).Minutes())
	}
}
