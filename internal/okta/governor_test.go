package okta

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// meter is an org that counts requests by bucket (the first segment after /api/v1) in windows on a fixed grid, with headers
// of whole seconds, and answers each with a list of one record.
type meter struct {
	limit   int
	window  time.Duration
	phase   time.Duration // of the grid against whole minutes
	latency time.Duration // half of it on the way there, half on the way back
	ahead   time.Duration // of the org's clock
	owned   int           // what the token really has of the limit; 0: all
	ceil    bool          // Reset is rounded up, else down
	other   func(window int, elapsed time.Duration) int
	alter   func(http.Header, time.Time)
	slow    func(*http.Request) time.Duration
	atOnce  int // concurrency limit; 0: none

	mu       sync.Mutex
	windows  map[string]map[int]*counted
	inFlight int
	most     int // in flight
	crowded  int
	sent     []sending
}

type counted struct{ ours, refused int }

type sending struct {
	at   time.Time
	path string
}

func (m *meter) index(t time.Time) (int, time.Duration) {
	since := t.Add(m.ahead).Sub(time.Unix(0, 0)) - m.phase
	return int(since / m.window), since % m.window
}

func (m *meter) RoundTrip(req *http.Request) (*http.Response, error) {
	m.mu.Lock()
	m.inFlight++
	m.most = max(m.most, m.inFlight)
	m.sent = append(m.sent, sending{time.Now(), req.URL.Path})
	crowd := m.atOnce > 0 && m.inFlight > m.atOnce
	if crowd {
		m.crowded++
	}
	latency := m.latency
	if m.slow != nil {
		latency += m.slow(req)
	}
	m.mu.Unlock()
	leave := sync.OnceFunc(func() { m.mu.Lock(); m.inFlight--; m.mu.Unlock() })
	if err := pass(req.Context(), latency/2); err != nil {
		leave()
		return nil, err
	}
	status, h := http.StatusOK, http.Header{"Content-Type": {"application/json"}}
	now := time.Now()
	if crowd {
		status = http.StatusTooManyRequests
		h.Set("X-Rate-Limit-Limit", "0")
		h.Set("X-Rate-Limit-Remaining", "0")
		h.Set("X-Rate-Limit-Reset", strconv.FormatInt(now.Add(m.ahead+114*time.Second).Unix(), 10))
	} else if m.limit > 0 {
		w := m.count(req, now, h)
		if w {
			status = http.StatusTooManyRequests
		}
	}
	h.Set("Date", now.Add(m.ahead).UTC().Format(http.TimeFormat))
	if m.alter != nil {
		m.mu.Lock()
		m.alter(h, now)
		m.mu.Unlock()
	}
	if err := pass(req.Context(), latency/2); err != nil {
		leave()
		return nil, err
	}
	body := `[{"id":"a"}]`
	if status == http.StatusTooManyRequests {
		body = `{"errorCode":"E0000047","errorSummary":"API call exceeded rate limit due to too many requests."}`
	}
	return &http.Response{StatusCode: status, Header: h, ContentLength: -1, Body: &leaving{strings.NewReader(body), leave}}, nil
}

func (m *meter) count(req *http.Request, now time.Time, h http.Header) (refused bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i, elapsed := m.index(now)
	bucket := strings.Split(req.URL.Path, "/")[3]
	w := m.tally(bucket, i)
	others := 0
	if m.other != nil {
		others = m.other(i, elapsed)
	}
	if refused = w.ours+others >= m.limit || (m.owned > 0 && w.ours >= m.owned); refused {
		w.refused++
	} else {
		w.ours++
	}
	end := now.Add(m.ahead + m.window - elapsed)
	reset := end.Unix()
	if m.ceil && end.Nanosecond() > 0 {
		reset++
	}
	h.Set("X-Rate-Limit-Limit", strconv.Itoa(m.limit))
	h.Set("X-Rate-Limit-Remaining", strconv.Itoa(max(0, m.limit-w.ours-others)))
	h.Set("X-Rate-Limit-Reset", strconv.FormatInt(reset, 10))
	return refused
}

func (m *meter) tally(bucket string, window int) *counted {
	if m.windows == nil {
		m.windows = map[string]map[int]*counted{}
	}
	if m.windows[bucket] == nil {
		m.windows[bucket] = map[int]*counted{}
	}
	if m.windows[bucket][window] == nil {
		m.windows[bucket][window] = &counted{}
	}
	return m.windows[bucket][window]
}

// spent lists what was ours of each window from the first to the last.
func (m *meter) spent(bucket string) (ours []int, refused int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	first, last := -1, -1
	for i := range m.windows[bucket] {
		if first < 0 || i < first {
			first = i
		}
		last = max(last, i)
	}
	for i := first; i <= last; i++ {
		w := m.tally(bucket, i)
		ours = append(ours, w.ours)
		refused += w.refused
	}
	return ours, refused
}

func (m *meter) sends() []sending {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.sent)
}

func (m *meter) change(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

type leaving struct {
	io.Reader
	leave func()
}

func (l *leaving) Read(p []byte) (int, error) {
	n, err := l.Reader.Read(p)
	if err != nil {
		l.leave()
	}
	return n, err
}

func (l *leaving) Close() error { l.leave(); return nil }

func pass(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func clientOf(rt http.RoundTripper, options ...func(*Options)) *Client {
	o := Options{Origin: &url.URL{Scheme: "https", Host: "acme.okta.com"}, Transport: rt}
	for _, option := range options {
		option(&o)
	}
	return New(o)
}

func share(percent int) func(*Options) { return func(o *Options) { o.Share = percent } }

func listOf(bucket string) Request {
	return Request{Bucket: "/api/v1/" + bucket, Path: "/api/v1/" + bucket}
}

// walks runs n chains that together read the given number of pages.
func walks(t *testing.T, c *Client, r Request, n, pages int) {
	t.Helper()
	var left atomic.Int64
	left.Store(int64(pages))
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				_, err := c.Get(t.Context(), r)
				assert.NoError(t, err)
			}
		})
	}
	all.Wait()
}

func onTheMinute() time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) }

func TestEachWindowsBudgetIsSpentExactlyAndNoRequestIsRefused(t *testing.T) {
	for _, phase := range []time.Duration{0, 300 * time.Millisecond, 7900 * time.Millisecond} {
		for _, ceil := range []bool{false, true} {
			for _, chains := range []int{1, 3, 12} {
				t.Run(fmt.Sprintf("phase %v, reset rounded up %v, %d chains", phase, ceil, chains), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						m := &meter{limit: 100, window: 15 * time.Second, phase: phase, ceil: ceil, latency: 80 * time.Millisecond}
						c := clientOf(m)
						walks(t, c, listOf("users"), chains, 80*6)
						ours, refused := m.spent("users")
						assert.Zero(t, refused)
						for _, n := range ours[1 : len(ours)-1] {
							assert.Equal(t, 80, n, "windows: %v", ours)
						}
						assert.LessOrEqual(t, len(ours), 7)
						assert.Equal(t, 1.0, c.Stats()["/api/v1/users"].Utilisation)
					})
				})
			}
		}
	}
}

func TestTheTimeForManyPagesIsWithinFivePercentOfTheLowerBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit, pages, window = 120, 1000, 15 * time.Second
		m := &meter{limit: limit, window: window, latency: 200 * time.Millisecond}
		began := time.Now()
		walks(t, clientOf(m), listOf("logs"), 6, pages)
		perWindow := limit * 80 / 100
		best := time.Duration((pages+perWindow-1)/perWindow-1) * window
		assert.LessOrEqual(t, time.Since(began), best+best/20)
		_, refused := m.spent("logs")
		assert.Zero(t, refused)
	})
}

func TestTheBudgetIsTheShareOfTheLimitButLeavesFivePercentToOthers(t *testing.T) {
	for _, row := range []struct{ limit, share, budget int }{
		{100, 80, 80},
		{100, 29, 29},
		{100, 100, 95},
		{600, 95, 570},
		{600, 96, 570},
		{10, 80, 8},
		{1, 80, 1},
		{1, 1, 1},
		{3, 50, 1},
		{50, 1, 1},
		{1000, 5, 50},
	} {
		t.Run(fmt.Sprintf("limit %d share %d", row.limit, row.share), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &meter{limit: row.limit, window: time.Minute, latency: 10 * time.Millisecond}
				walks(t, clientOf(m, share(row.share)), listOf("users"), 4, 3*row.budget)
				ours, refused := m.spent("users")
				assert.Equal(t, []int{row.budget, row.budget, row.budget}, ours)
				assert.Zero(t, refused)
			})
		})
	}
}

func TestAnotherClientThatTakesThirtyPercentIsSeenAndGivenWayTo(t *testing.T) {
	for _, row := range []struct{ share, budget int }{{60, 60}, {80, 65}} {
		t.Run(fmt.Sprintf("share %d", row.share), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const limit = 600
				m := &meter{
					limit: limit, window: time.Minute, latency: 100 * time.Millisecond,
					other: func(_ int, elapsed time.Duration) int { return int(limit * 3 / 10 * elapsed / time.Minute) },
				}
				walks(t, clientOf(m, share(row.share)), listOf("users"), 8, limit*row.share/100*6)
				ours, refused := m.spent("users")
				assert.LessOrEqual(t, refused, 1, "in the first window only, when nothing is known of it")
				for _, n := range ours[2 : len(ours)-1] {
					assert.InDelta(t, limit*row.budget/100, n, limit*0.03, "windows: %v", ours)
					assert.LessOrEqual(t, n+limit*3/10, limit, "the other client is not refused")
				}
			})
		})
	}
}

func TestAClientThatTakesNearlyAllLeavesUsATenth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &meter{
			limit: 200, window: time.Minute, latency: 50 * time.Millisecond,
			other: func(int, time.Duration) int { return 178 },
		}
		walks(t, clientOf(m), listOf("users"), 4, 60)
		ours, refused := m.spent("users")
		assert.Zero(t, refused)
		// 22 remain in each window: ours are a tenth of the limit while more than 10 remain, then at least one.
		for _, n := range ours[:len(ours)-1] {
			assert.InDelta(t, 12, n, 8, "windows: %v", ours)
			assert.Positive(t, n)
		}
	})
}

func TestOthersThatTakeTheirPartLateInTheWindowAreFoundWithinAFewWindows(t *testing.T) {
	for _, percent := range []int{30, 50, 80} {
		t.Run(fmt.Sprintf("%d percent", percent), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const limit = 600
				m := &meter{
					limit: limit, window: time.Minute, latency: 100 * time.Millisecond,
					other: func(_ int, elapsed time.Duration) int {
						return limit * percent / 100 * int(min(5*time.Second, max(0, elapsed-20*time.Second))/time.Millisecond) / 5000
					},
				}
				c := clientOf(m)
				walks(t, c, listOf("users"), 8, 2200)
				_, before := m.spent("users")
				assert.LessOrEqual(t, before, 5)
				walks(t, c, listOf("users"), 8, 900)
				ours, refused := m.spent("users")
				assert.Equal(t, before, refused, "none in steady state")
				for _, n := range ours[6 : len(ours)-1] {
					assert.InDelta(t, limit*(95-percent)/100, n, limit*0.02, "windows: %v", ours)
				}
			})
		})
	}
}

func TestWhenTheOtherClientLeavesItsShareIsOurs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := -1
		m := &meter{limit: 200, window: time.Minute, latency: 50 * time.Millisecond}
		m.other = func(i int, _ time.Duration) int {
			if first < 0 {
				first = i
			}
			if i < first+3 {
				return 100
			}
			return 0
		}
		walks(t, clientOf(m), listOf("users"), 4, 800)
		ours, refused := m.spent("users")
		assert.Zero(t, refused)
		assert.Equal(t, 160, ours[4], "windows: %v", ours)
	})
}

func TestWaitsAreResetMinusDatePlusOneInTheServersClock(t *testing.T) {
	for _, ahead := range []time.Duration{0, 90 * time.Second, -90 * time.Second, 5 * time.Hour} {
		t.Run(ahead.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				require.Equal(t, onTheMinute(), time.Now().UTC())
				m := &meter{limit: 1, window: time.Minute, ahead: ahead}
				var until time.Time
				c := clientOf(m, func(o *Options) { o.OnWait = func(_ string, at time.Time) { until = at } })
				walks(t, c, listOf("users"), 1, 2)
				waited := m.sends()[1].at.Sub(m.sends()[0].at)
				_, elapsed := m.index(m.sends()[0].at)
				assert.Equal(t, m.window-elapsed+time.Second, waited)
				assert.Equal(t, m.sends()[1].at, until)
			})
		})
	}
}

func TestTheAnswerWhoseDateHadJustTickedGivesTheTightestBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(750 * time.Millisecond) // the first answer comes late in its second
		m := &meter{limit: 4, window: time.Minute, latency: 200 * time.Millisecond}
		c := clientOf(m)
		walks(t, c, listOf("users"), 1, 4)
		end := onTheMinute().Add(m.window + time.Second)
		assert.Less(t, m.sends()[3].at.Sub(end), 250*time.Millisecond)
		assert.GreaterOrEqual(t, m.sends()[3].at.Sub(end), time.Duration(0))
	})
}

func TestOneRequestGoesToABucketUntilItsFirstHeadersArrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &meter{limit: 600, window: time.Minute, latency: time.Second}
		c := clientOf(m)
		var all sync.WaitGroup
		for _, bucket := range []string{"users", "groups"} {
			for range 4 {
				all.Go(func() { _, err := c.Get(t.Context(), listOf(bucket)); assert.NoError(t, err) })
			}
		}
		time.Sleep(900 * time.Millisecond)
		assert.Len(t, m.sends(), 2, "one for each bucket")
		time.Sleep(200 * time.Millisecond)
		assert.Len(t, m.sends(), 8)
		all.Wait()
	})
}

func TestAtMostTenRequestsAreInFlightInTheWholeProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &meter{latency: time.Second}
		c := clientOf(m)
		var all sync.WaitGroup
		for _, bucket := range []string{"users", "groups", "apps"} {
			all.Go(func() { walks(t, c, listOf(bucket), 8, 40) })
		}
		all.Wait()
		assert.Equal(t, 10, m.most)
	})
}

func TestAPermitIsKeptUntilTheBodyIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var open, most atomic.Int64
		rt := roundTrip(func(req *http.Request) (*http.Response, error) {
			most.Store(max(most.Load(), open.Add(1)))
			body := slowly(req.Context(), `[{"id":"a"}]`, time.Second, func() { open.Add(-1) })
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(body)}, nil
		})
		walks(t, clientOf(rt), listOf("users"), 25, 50)
		assert.LessOrEqual(t, most.Load(), int64(10))
	})
}

func TestIndependentBucketsAreBusyAtTheSameTimeAndTakeTurnsForTheRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &meter{latency: time.Second}
		c := clientOf(m)
		var all sync.WaitGroup
		all.Go(func() { walks(t, c, listOf("users"), 30, 300) })
		time.Sleep(5500 * time.Millisecond)
		all.Go(func() { walks(t, c, listOf("logs"), 1, 5) })
		synctest.Wait()
		began := time.Now()
		time.Sleep(12 * time.Second)
		logs := 0
		for _, s := range m.sends() {
			if s.path == "/api/v1/logs" && s.at.Before(began.Add(10*time.Second)) {
				logs++
			}
		}
		assert.Equal(t, 5, logs, "a bucket with one chain is not crowded out by one with thirty")
		all.Wait()
	})
}

func TestWithinABucketWalksShareItsBudgetFairly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &meter{limit: 30, window: time.Minute, latency: 100 * time.Millisecond}
		c := clientOf(m)
		var all sync.WaitGroup
		done := make([]int, 6)
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Minute)
		defer stop()
		for i := range done {
			all.Go(func() {
				for ctx.Err() == nil {
					if _, err := c.Get(ctx, listOf("users")); err == nil {
						done[i]++
					}
				}
			})
		}
		all.Wait()
		for _, n := range done {
			assert.InDelta(t, 40, n, 2, "%v", done)
		}
	})
}

func TestOneSlowWalkHoldsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &meter{limit: 600, window: time.Minute, latency: 50 * time.Millisecond}
		m.slow = func(req *http.Request) time.Duration {
			if req.URL.Path == "/api/v1/users/slow" {
				return 40 * time.Second
			}
			return 0
		}
		c := clientOf(m)
		walks(t, c, listOf("users"), 1, 1)
		var slow sync.WaitGroup
		slow.Go(func() { walks(t, c, Request{Bucket: "/api/v1/users", Path: "/api/v1/users/slow"}, 3, 3) })
		began := time.Now()
		walks(t, c, listOf("users"), 4, 100)
		assert.Less(t, time.Since(began), 2*time.Second)
		slow.Wait()
	})
}

func TestAWindowsRefusalHoldsEveryWalkOfTheBucketOnceTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refuse := true
		m := &meter{
			limit: 100, window: time.Minute, latency: 10 * time.Millisecond,
			other: func(_ int, elapsed time.Duration) int {
				if refuse && elapsed > 30*time.Second {
					return 100
				}
				return 0
			},
		}
		var told []string
		c := clientOf(m, func(o *Options) { o.OnWait = func(bucket string, _ time.Time) { told = append(told, bucket) } })
		walks(t, c, listOf("users"), 5, 10)
		walks(t, c, listOf("groups"), 5, 10)
		time.Sleep(31 * time.Second)
		var all sync.WaitGroup
		all.Go(func() { walks(t, c, listOf("users"), 5, 5) })
		time.Sleep(time.Second)
		_, refused := m.spent("users")
		assert.Equal(t, 5, refused)
		all.Go(func() { walks(t, c, listOf("users"), 4, 4) })
		time.Sleep(20 * time.Second)
		_, refused = m.spent("users")
		assert.Equal(t, 5, refused, "nobody asks again before the window is over")
		m.change(func() { refuse = false })
		all.Wait()
		assert.Equal(t, []string{"/api/v1/users"}, told)
		assert.Equal(t, 5, c.Stats()["/api/v1/users"].WindowLimited)
		assert.Equal(t, 1, c.Stats()["/api/v1/users"].Waits)
		assert.Less(t, time.Since(onTheMinute()), 63*time.Second)
	})
}

func TestATokenThatOwnsHalfOfWhatTheHeaderSaysGetsACeilingAfterOneRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &meter{limit: 100, owned: 50, window: time.Minute, latency: 100 * time.Millisecond}
		walks(t, clientOf(m), listOf("users"), 10, 400)
		ours, refused := m.spent("users")
		assert.LessOrEqual(t, refused, 10, "those in flight when the first was refused")
		assert.Equal(t, []int{50, 50, 50, 50, 50, 50, 50, 50}, ours)
	})
}

func TestTheCeilingCountsAnEarlierRunOfTheSameTokenInTheSameWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &meter{limit: 100, owned: 50, window: time.Minute, latency: 100 * time.Millisecond}
		walks(t, clientOf(m), listOf("users"), 1, 40)
		walks(t, clientOf(m), listOf("users"), 10, 200)
		ours, _ := m.spent("users")
		assert.Equal(t, []int{50, 50, 50, 50, 40}, ours)
	})
}

func TestALimitUsedUpByOthersIsNoCeiling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := -1
		m := &meter{limit: 100, window: time.Minute, latency: 100 * time.Millisecond}
		m.other = func(i int, elapsed time.Duration) int {
			if first < 0 {
				first = i
			}
			if i > first || elapsed < 500*time.Millisecond {
				return 0
			}
			return min(100, int(elapsed/(10*time.Millisecond))) // a burst drains the first window
		}
		walks(t, clientOf(m), listOf("users"), 5, 300)
		ours, _ := m.spent("users")
		assert.Equal(t, 80, ours[len(ours)-2], "windows: %v", ours)
	})
}

func TestTooManyRequestsAtOnceShrinkTheInFlightCountAndItGrowsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &meter{latency: 100 * time.Millisecond, atOnce: 6}
		c := clientOf(m)
		walks(t, c, listOf("users"), 10, 12)
		assert.Equal(t, 5, c.governor.room)
		assert.InDelta(t, 4, m.crowded, 3)
		assert.Less(t, time.Since(onTheMinute()), 12*time.Second, "the 114 s that Reset suggests mean nothing")
		m.atOnce = 0
		for range 7 {
			time.Sleep(6 * time.Second)
			walks(t, c, listOf("users"), 1, 1)
		}
		assert.Equal(t, maxInFlight, c.governor.room)
		assert.Equal(t, m.crowded, c.Stats()["/api/v1/users"].ConcurrencyLimited)
		assert.Zero(t, c.Stats()["/api/v1/users"].WindowLimited)
	})
}

func TestAConcurrencyRefusalIsRepeatedAfterOneToTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &meter{alter: nil}
		refuse := 8
		rt := roundTrip(func(req *http.Request) (*http.Response, error) {
			m.sent = append(m.sent, sending{time.Now(), ""})
			if refuse--; refuse >= 0 {
				return answer(429, `{}`, "X-Rate-Limit-Limit", "0", "X-Rate-Limit-Remaining", "0", "X-Rate-Limit-Reset", "946685000", "Date", time.Now().Format(http.TimeFormat)), nil
			}
			return answer(200, `[]`), nil
		})
		_, err := clientOf(rt).Get(t.Context(), listOf("users"))
		require.NoError(t, err)
		for i, s := range m.sends()[1:] {
			wait := s.at.Sub(m.sends()[i].at)
			assert.GreaterOrEqual(t, wait, time.Second)
			assert.LessOrEqual(t, wait, min(10*time.Second, time.Second<<min(i+1, 4)))
		}
	})
}

func TestAWaitIsToldOncePerBucketAndWindowWithTheTimeOfItsReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &meter{limit: 10, window: time.Minute, latency: 10 * time.Millisecond}
		var mu sync.Mutex
		told := map[string][]time.Duration{}
		c := clientOf(m, func(o *Options) {
			o.OnWait = func(bucket string, until time.Time) {
				mu.Lock()
				defer mu.Unlock()
				told[bucket] = append(told[bucket], until.Sub(onTheMinute()).Round(time.Second))
			}
		})
		var all sync.WaitGroup
		all.Go(func() { walks(t, c, listOf("users"), 7, 24) })
		all.Go(func() { walks(t, c, listOf("groups"), 7, 16) })
		all.Wait()
		assert.Equal(t, map[string][]time.Duration{
			"/api/v1/users":  {61 * time.Second, 121 * time.Second},
			"/api/v1/groups": {61 * time.Second},
		}, told)
		assert.Equal(t, 2, c.Stats()["/api/v1/users"].Waits)
	})
}

func TestAWaitIsInterruptible(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &meter{limit: 1, window: time.Minute}
		c := clientOf(m)
		walks(t, c, listOf("users"), 1, 1)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := c.Get(ctx, listOf("users"))
		assert.Equal(t, context.DeadlineExceeded, err)
		assert.Equal(t, 5*time.Second, time.Since(onTheMinute()))
		assert.Len(t, m.sends(), 1)
		walks(t, c, listOf("users"), 3, 2)
		_, refused := m.spent("users")
		assert.Zero(t, refused, "the one that left took nothing along")
	})
}

func TestAWaitIsCappedAtFifteenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &meter{limit: 1, window: 50 * time.Minute, phase: time.Since(time.Unix(0, 0)) % (50 * time.Minute)}
		c := clientOf(m)
		walks(t, c, listOf("users"), 1, 1)
		_, err := c.Get(t.Context(), listOf("users"))
		var e *Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, RateLimited, e.Class)
		assert.Equal(t, "/api/v1/users", e.Path)
		assert.Equal(t, 15*time.Minute, time.Since(onTheMinute()))
	})
}

func TestAPageThatIsRefusedInWindowAfterWindowGivesUpAfterFifteenMinutes(t *testing.T) {
	for name, headers := range map[string]func(h http.Header, now time.Time){
		"with headers":    func(h http.Header, _ time.Time) {},
		"without headers": func(h http.Header, _ time.Time) { clear(h) },
		"reset in the past": func(h http.Header, now time.Time) {
			h.Set("X-Rate-Limit-Reset", strconv.FormatInt(now.Unix()-30, 10))
		},
		"concurrency": func(h http.Header, _ time.Time) { h.Set("X-Rate-Limit-Limit", "0") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &meter{limit: 100, window: time.Minute, alter: headers, other: func(int, time.Duration) int { return 100 }}
				_, err := clientOf(m).Get(t.Context(), listOf("users"))
				var e *Error
				require.ErrorAs(t, err, &e)
				assert.Equal(t, RateLimited, e.Class)
				assert.Equal(t, 429, e.Status)
				assert.InDelta(t, 15*time.Minute, time.Since(onTheMinute()), float64(time.Minute+time.Second))
				assert.Less(t, len(m.sends()), 1000)
			})
		})
	}
}

func TestALongLineOfWaitersIsNotMistakenForALongWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &meter{limit: 1, window: time.Minute, latency: 10 * time.Millisecond}
		walks(t, clientOf(m), listOf("users"), 30, 30)
		assert.Greater(t, time.Since(onTheMinute()), 29*time.Minute)
	})
}

func TestRequestsThatMayNotWaitFailAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &meter{limit: 1, window: time.Minute}
		c := clientOf(m)
		r := listOf("users")
		r.NoWait = true
		_, err := c.Get(t.Context(), r)
		require.NoError(t, err)
		_, err = c.Get(t.Context(), r)
		var e *Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, RateLimited, e.Class)
		assert.Len(t, m.sends(), 1)

		m.other = func(int, time.Duration) int { return 1 }
		r.Bucket, r.Path = "/api/v1/groups", "/api/v1/groups"
		_, err = c.Get(t.Context(), r)
		require.ErrorAs(t, err, &e)
		assert.Equal(t, RateLimited, e.Class)
		assert.Equal(t, "E0000047", e.Code)
		assert.Zero(t, time.Since(onTheMinute()))
	})
}

func TestAnAnswerCountsInTheWindowThatItsResetNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The window turns over while requests are on their way; half of them are counted in the new one.
		m := &meter{limit: 20, window: time.Minute, latency: 2 * time.Second, phase: 59 * time.Second}
		c := clientOf(m)
		walks(t, c, listOf("users"), 5, 16*4)
		ours, refused := m.spent("users")
		assert.Zero(t, refused)
		for _, n := range ours {
			assert.LessOrEqual(t, n, 16, "windows: %v", ours)
		}
		for _, n := range ours[1 : len(ours)-1] {
			assert.Equal(t, 16, n, "windows: %v", ours)
		}
	})
}

func TestRequestsOnTheirWayWhenTheWindowTurnsOverAreNeitherLostNorCountedTwice(t *testing.T) {
	for _, latency := range []time.Duration{100 * time.Millisecond, 900 * time.Millisecond, 3 * time.Second, 11 * time.Second} {
		t.Run(latency.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &meter{limit: 40, window: 20 * time.Second, latency: latency, phase: 700 * time.Millisecond}
				walks(t, clientOf(m, share(100)), listOf("users"), 10, 300)
				ours, refused := m.spent("users")
				assert.Zero(t, refused, "windows: %v", ours)
				for _, n := range ours {
					assert.LessOrEqual(t, n, 38, "windows: %v", ours)
				}
			})
		})
	}
}

func TestAWindowWhoseEndPassedWithoutNewsStartsFreshWithTheOldLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &meter{limit: 10, window: time.Minute, latency: 100 * time.Millisecond}
		c := clientOf(m)
		walks(t, c, listOf("users"), 8, 8)
		time.Sleep(10 * time.Minute)
		began := time.Now()
		walks(t, c, listOf("users"), 9, 9)
		ours, refused := m.spent("users")
		assert.Zero(t, refused)
		assert.Equal(t, 8, ours[0])
		assert.Equal(t, []int{8, 1}, ours[len(ours)-2:])
		at := 0
		for _, s := range m.sends()[8:] {
			if s.at.Equal(began) {
				at++
			}
		}
		assert.Equal(t, 8, at, "they start at once, and are bounded by the old limit")
	})
}

func TestWalksStartAtOnceWhenAnAnswerBringsNewsOfTheNextWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The window is over at 60.0 s, surely so at 61.x s; an answer at 60.6 s knows better.
		m := &meter{limit: 5, window: time.Minute, latency: 200 * time.Millisecond}
		c := clientOf(m)
		time.Sleep(50 * time.Second)
		walks(t, c, listOf("users"), 1, 1)
		var all sync.WaitGroup
		m.change(func() { m.slow = func(*http.Request) time.Duration { return 20200 * time.Millisecond } })
		all.Go(func() { walks(t, c, listOf("users"), 1, 1) })
		synctest.Wait()
		m.change(func() { m.slow = nil })
		walks(t, c, listOf("users"), 1, 2)
		all.Go(func() { walks(t, c, listOf("users"), 2, 2) })
		all.Wait()
		for _, s := range m.sends()[4:] {
			assert.Less(t, s.at.Sub(onTheMinute()), 61500*time.Millisecond)
		}
		_, refused := m.spent("users")
		assert.Zero(t, refused)
	})
}

func TestNothingIsSentWhenNothingRemainsInAKnownWindow(t *testing.T) {
	for _, others := range []int{96, 93} { // less than the budget's tenth remains, which is not enough for all that wait
		t.Run(strconv.Itoa(others), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &meter{
					limit: 100, window: time.Minute, latency: 500 * time.Millisecond,
					other: func(int, time.Duration) int { return others },
				}
				walks(t, clientOf(m, share(100)), listOf("users"), 9, 12)
				_, refused := m.spent("users")
				assert.Zero(t, refused)
			})
		})
	}
}

func TestALateAnswerThatNamesTheOldWindowTakesNothingFromTheNewOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &meter{limit: 10, window: time.Minute, latency: 100 * time.Millisecond}
		c := clientOf(m)
		walks(t, c, listOf("users"), 1, 1)
		time.Sleep(50 * time.Second)
		m.change(func() { m.slow = func(*http.Request) time.Duration { return 16 * time.Second } })
		var late sync.WaitGroup
		late.Go(func() { walks(t, c, listOf("users"), 1, 1) }) // counted at 58 s, heard of at 66 s
		synctest.Wait()
		m.change(func() { m.slow = nil })
		time.Sleep(12 * time.Second)
		walks(t, c, listOf("users"), 4, 8)
		late.Wait()
		ours, _ := m.spent("users")
		assert.Equal(t, []int{2, 8}, ours)
		assert.Zero(t, c.governor.buckets["/api/v1/users"].strays)
	})
}

func TestInAnyOrgTheBudgetIsKeptAndUsed(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		limit := rapid.IntRange(1, 300).Draw(rt, "limit")
		percent := rapid.IntRange(1, 100).Draw(rt, "share")
		window := time.Duration(rapid.IntRange(15, 70).Draw(rt, "window")) * time.Second
		m := &meter{
			limit: limit, window: window,
			phase:   time.Duration(rapid.IntRange(0, 60_000).Draw(rt, "phase")) * time.Millisecond,
			ahead:   time.Duration(rapid.IntRange(-5_000_000, 5_000_000).Draw(rt, "ahead")) * time.Millisecond,
			latency: time.Duration(rapid.IntRange(1, 5000).Draw(rt, "latency")) * time.Millisecond,
			ceil:    rapid.Bool().Draw(rt, "ceil"),
		}
		chains := rapid.IntRange(1, 15).Draw(rt, "chains")
		budget := max(1, min(limit*percent, limit*95)/100)
		pages := rapid.IntRange(1, min(400, 4*budget)).Draw(rt, "pages")
		synctest.Test(t, func(t *testing.T) {
			walks(t, clientOf(m, share(percent)), listOf("users"), chains, pages)
			ours, refused := m.spent("users")
			if refused > 0 {
				rt.Errorf("%d refused", refused)
			}
			for _, n := range ours {
				if n > budget {
					rt.Errorf("more than the budget of %d: %v", budget, ours)
				}
			}
			rounds := time.Duration((pages+min(chains, 10)-1)/min(chains, 10)) * (m.latency + time.Millisecond)
			if took, most := time.Since(onTheMinute()), time.Duration((pages+budget-1)/budget)*window+rounds+5*time.Second; took > most {
				rt.Errorf("took %v, expected %v at most: %v", took, most, ours)
			}
		})
	})
}

func TestMissingAbsurdOrNegativeHeadersNeverHangIt(t *testing.T) {
	set := func(pairs ...string) func(http.Header, time.Time) {
		return func(h http.Header, now time.Time) {
			for i := 0; i < len(pairs); i += 2 {
				switch v := pairs[i+1]; {
				case v == "":
					h.Del(pairs[i])
				case strings.HasPrefix(v, "now"):
					n, _ := strconv.Atoi(v[3:])
					h.Set(pairs[i], strconv.FormatInt(now.Unix()+int64(n), 10))
				default:
					h.Set(pairs[i], v)
				}
			}
		}
	}
	const l, rem, reset, date = "X-Rate-Limit-Limit", "X-Rate-Limit-Remaining", "X-Rate-Limit-Reset", "Date"
	for name, alter := range map[string]func(http.Header, time.Time){
		"none":                       set(l, "", rem, "", reset, "", date, ""),
		"no limit":                   set(l, ""),
		"no remaining":               set(rem, ""),
		"no reset":                   set(reset, ""),
		"no date":                    set(date, ""),
		"only limit":                 set(rem, "", reset, "", date, ""),
		"only remaining":             set(l, "", reset, "", rem, "0"),
		"only reset":                 set(l, "", rem, ""),
		"limit 0":                    set(l, "0"),
		"limit and remaining 0":      set(l, "0", rem, "0"),
		"limit negative":             set(l, "-100"),
		"remaining negative":         set(rem, "-3"),
		"remaining above limit":      set(rem, "100000"),
		"all negative":               set(l, "-1", rem, "-1", reset, "-1"),
		"limit huge":                 set(l, "9223372036854775807", rem, "9223372036854775807"),
		"limit overflows":            set(l, "92233720368547758070"),
		"limit a fraction":           set(l, "1e3", rem, "0.5"),
		"limit a word":               set(l, "unlimited", rem, "∞"),
		"limit empty":                func(h http.Header, _ time.Time) { h[l] = []string{""} },
		"several values":             func(h http.Header, _ time.Time) { h[l] = []string{"100, 40", "60"} },
		"reset in the past":          set(reset, "now-20"),
		"reset long past":            set(reset, "1"),
		"reset now":                  set(reset, "now0"),
		"reset in milliseconds":      set(reset, "946684860000"),
		"reset huge":                 set(reset, "9223372036854775807"),
		"reset two hours ahead":      set(reset, "now7200"),
		"reset rolls on":             set(reset, "now60"),
		"date nonsense":              set(date, "yesterday"),
		"date of another century":    set(date, "Fri, 01 Jan 1904 00:00:00 GMT"),
		"remaining 0 at all times":   set(rem, "0"),
		"remaining 0 and no reset":   set(rem, "0", reset, ""),
		"remaining 0 and past reset": set(rem, "0", reset, "now-20"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &meter{limit: 100, window: time.Minute, latency: 100 * time.Millisecond, alter: alter}
				walks(t, clientOf(m), listOf("users"), 6, 120)
				atMost := 5 * time.Minute
				if strings.HasPrefix(name, "remaining 0") {
					atMost = 2 * time.Hour // it may be true: then one request a window is what we may have
				}
				assert.Less(t, time.Since(onTheMinute()), atMost)
			})
		})
	}
}

func TestOneAbsurdAnswerDoesNotSpoilTheRest(t *testing.T) {
	for name, reset := range map[string]int64{"far": 3000, "near": 2, "past": -50} {
		for _, nth := range []int{1, 7} {
			t.Run(fmt.Sprintf("%s, answer %d", name, nth), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n := 0
					m := &meter{limit: 50, window: time.Minute, latency: 100 * time.Millisecond}
					m.alter = func(h http.Header, now time.Time) {
						if n++; n == nth {
							h.Set("X-Rate-Limit-Reset", strconv.FormatInt(now.Unix()+reset, 10))
						}
					}
					walks(t, clientOf(m), listOf("users"), 6, 200)
					assert.Less(t, time.Since(onTheMinute()), 5*time.Minute+5*time.Second)
					ours, refused := m.spent("users")
					assert.Zero(t, refused)
					if name != "near" {
						assert.Equal(t, []int{40, 40, 40, 40, 40}, ours)
					}
				})
			})
		}
	}
}

func TestALimitWithoutResetIsTakenToBePerMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &meter{
			limit: 100, window: time.Minute, latency: 10 * time.Millisecond,
			alter: func(h http.Header, _ time.Time) { h.Del("X-Rate-Limit-Reset") },
		}
		walks(t, clientOf(m), listOf("users"), 4, 200)
		assert.InDelta(t, 2*time.Minute, time.Since(onTheMinute()), float64(10*time.Second))
		_, refused := m.spent("users")
		assert.Zero(t, refused)
	})
}

func TestAnOrgWithoutLimitsIsHeldBackOnlyByTheRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &meter{latency: 100 * time.Millisecond}
		walks(t, clientOf(m), listOf("users"), 20, 1001)
		assert.Equal(t, 10100*time.Millisecond, time.Since(onTheMinute()))
	})
}

func TestAChainMayBeSplitOnlyWhileTheBudgetExceedsWhatTheChainsCanSpend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &meter{limit: 80, window: time.Minute, latency: 2 * time.Second} // a budget of 64; a chain spends 30
		c := clientOf(m)
		assert.False(t, c.Spare("/api/v1/users", 1), "nothing is known yet")
		walks(t, c, listOf("users"), 1, 1)
		assert.True(t, c.Spare("/api/v1/users", 1))
		assert.True(t, c.Spare("/api/v1/users", 2))
		assert.False(t, c.Spare("/api/v1/users", 3))
		walks(t, c, listOf("users"), 5, 63)
		assert.False(t, c.Spare("/api/v1/users", 0), "the window is spent")

		m.limit = 0
		walks(t, c, listOf("apps"), 1, 1)
		assert.True(t, c.Spare("/api/v1/apps", 9))
		assert.False(t, c.Spare("/api/v1/apps", 10), "no room in flight")
	})
}

func TestCancelledRequestsGiveTheirPermitsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &meter{latency: 10 * time.Second}
		c := clientOf(m)
		for range 5 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			var all sync.WaitGroup
			for range 25 {
				all.Go(func() {
					_, err := c.Get(ctx, listOf("users"))
					assert.ErrorIs(t, err, context.DeadlineExceeded)
				})
			}
			all.Wait()
			cancel()
		}
		assert.Zero(t, c.governor.inFlight)
		assert.Zero(t, c.governor.buckets["/api/v1/users"].pending)
		assert.Empty(t, c.governor.buckets["/api/v1/users"].line)
	})
}

func TestTheAttemptsDeadlineStartsAfterTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &meter{limit: 1, window: 5 * time.Minute, latency: 30 * time.Second}
		walks(t, clientOf(m), listOf("users"), 1, 2)
		assert.Len(t, m.sends(), 2)
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func answer(status int, body string, headers ...string) *http.Response {
	h := http.Header{}
	for i := 0; i < len(headers); i += 2 {
		h.Add(headers[i], headers[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, ContentLength: -1, Body: io.NopCloser(strings.NewReader(body))}
}

// slowly hands out body after the given time, and calls done before its end is known.
func slowly(ctx context.Context, body string, after time.Duration, done func()) io.Reader {
	waited := false
	rest := strings.NewReader(body)
	return readFunc(func(p []byte) (int, error) {
		if !waited {
			waited = true
			if err := pass(ctx, after); err != nil {
				return 0, err
			}
		}
		n, err := rest.Read(p)
		if err != nil {
			done()
		}
		return n, err
	})
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

var errReset = errors.New("connection reset by peer")
