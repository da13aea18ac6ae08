/* SPDX-License-Identifier: MIT */
/*
 * turn.c - flock on the pool's file, with patience that ends
 *
 * Pitfalls.
 * 1. A blocking flock() cannot be given a time limit without signals, and a
 *    stopped process (SIGSTOP) may hold the turn for ever: so we poll.
 * 2. A descriptor of ours must not survive into exec (O_CLOEXEC by sys_openat)
 *    nor be shared with a fork child that outlives the turn: the turn is held
 *    only by guests of the gate, and fork waits for those.
 */
#include "core/act/turn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/file.h>

#include "core/base/out.h"
#include "core/base/sys.h"

#define POLL_FIRST_NS 50000
#define POLL_MOST_NS 1000000

/* Once a holder did not let go, nobody waits for it again for so long. */
#define TURN_HOPELESS_NS 10000000000u

int turn_open(size_t page_bytes)
{
	struct line path;
	long fd;

	line_start(&path);
	line_text(&path, "/sys/kernel/mm/hugepages/hugepages-");
	line_u64(&path, page_bytes >> 10);
	line_text(&path, "kB/nr_hugepages");
	path.text[path.bytes] = '\0';
	fd = sys_openat(AT_FDCWD, path.text, O_RDONLY, 0);
	return fd < 0 ? -1 : (int)fd;
}

struct turn turn_take(enum turn_kind kind, size_t page_bytes)
{
	return turn_take_within(kind, page_bytes, TURN_PATIENCE_NS);
}

struct turn turn_take_within(enum turn_kind kind, size_t page_bytes, uint64_t patience_ns)
{
	static uint64_t hopeless_until;
	const int operation = (kind == TURN_ALONE ? LOCK_EX : LOCK_SH) | LOCK_NB;
	struct turn t = { .fd = turn_open(page_bytes) };
	long nap = POLL_FIRST_NS;
	uint64_t until = 0;
	long err;

	while (t.fd >= 0 && (err = sys_flock(t.fd, operation)) != 0) {
		uint64_t now = sys_now_ns();
		bool may_wait = now >= __atomic_load_n(&hopeless_until, __ATOMIC_RELAXED);

		if (!until)
			until = now + patience_ns;
		if (now >= until && patience_ns == TURN_PATIENCE_NS)
			__atomic_store_n(&hopeless_until, now + TURN_HOPELESS_NS,
					 __ATOMIC_RELAXED);
		if (now >= until || !may_wait || (err != -EWOULDBLOCK && err != -EINTR)) {
			turn_drop(&t);
			break;
		}
		sys_sleep_ns(nap);
		nap = nap * 2 < POLL_MOST_NS ? nap * 2 : POLL_MOST_NS;
	}
	return t;
}

void turn_drop(struct turn *t)
{
	if (t->fd >= 0)
		sys_close(t->fd);
	t->fd = -1;
}
