/* SPDX-License-Identifier: MIT */
/*
 * inflight.c - O_DIRECT descriptors, rings, and threads inside a read
 *
 * Pitfalls.
 * 1. A thread is judged by /proc/self/task/N/syscall: "running" may be in user
 *    mode or on its way into a read, so it is looked at until it has run for some
 *    time without going to sleep in one.
 * 2. What can't be read counts as busy: a page that stays huge loses nothing.
 * 3. Descriptors can be shared with or passed to other processes; their I/O is
 *    into their own memory.
 */
#include "core/act/inflight.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "core/act/apart.h"
#include "core/base/mem.h"
#include "core/base/narrow.h"
#include "core/base/out.h"
#include "core/base/sys.h"
#include "core/base/text.h"
#include "core/facts/meminfo.h"

#define NAP_NS 100000
#define STARTS_WITHIN_NS 1000000u	/* of processor time: pinning and starting a read */
#define ONE_PIN ((uint64_t)1 << 20)
#define FEW_OPEN 64
#define ENTRIES_BYTES 1024	/* on a signal's stack of 8 KiB, half of it the kernel's frame */
#define ENTRY_NAME 19		/* offset of d_name in struct linux_dirent64 */

/* Calls @each for every number that names an entry of @dir: 0, its first other answer, -errno. */
static int each_entry(int dir, int (*each)(uint64_t number, void *arg), void *arg)
{
	char entries[ENTRIES_BYTES] __attribute__((aligned(8)));
	long got = 0;
	int answer = 0;

	while (!answer && (got = sys_getdents(dir, entries, sizeof(entries))) > 0) {
		for (long at = 0; at < got && !answer;) {
			const char *entry = entries + at;
			uint64_t number;

			at += *(const unsigned short *)(const void *)(entry + 16);
			if (text_u64(span_of(entry + ENTRY_NAME), &number) == 0 &&
			    number != (uint64_t)dir)
				answer = each(number, arg);
		}
	}
	return answer ? answer : (int)got;
}

static int each_number(const char *path, int (*each)(uint64_t number, void *arg), void *arg)
{
	long dir = sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
	int answer;

	if (dir < 0)
		return (int)dir;
	answer = each_entry((int)dir, each, arg);
	sys_close((int)dir);
	return answer;
}

static int is_direct(uint64_t fd, void *arg)
{
	long flags = sys_fcntl((int)fd, F_GETFL, NULL);

	(void)arg;
	if (flags == -EBADF)
		return 0;
	return flags < 0 ? (int)flags : (flags & O_DIRECT) ? 1 : 0;
}

/* How many descriptors are open, as Linux 6.2 tells; 0: it doesn't. */
static uint64_t count_open(int dir)
{
	struct stat st;

	return sys_fstat(dir, &st) == 0 && st.st_size > 0 ? (uint64_t)st.st_size : 0;
}

/* No descriptor that is open now has a number as high as this; 0: nobody says. */
static uint64_t table_room(void)
{
	struct blob status = { 0 };
	uint64_t room = 0;

	if (blob_read_file("/proc/self/status", &status) != 0)
		return 0;
	if (meminfo_u64((struct span){ status.at, status.bytes }, "FDSize:", &room) != 0)
		room = 0;
	blob_free(&status);
	return room;
}

/*
 * Has any descriptor O_DIRECT? A name in /proc/self/fd costs as much as asking for
 * three numbers, and ten times that at the first time, with writers held: where there
 * are many, the numbers are asked for one by one.
 */
static int any_direct(void)
{
	long dir = sys_openat(AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY, 0);
	uint64_t open, room = 0;
	int direct = 0;

	if (dir < 0)
		return (int)dir;
	open = count_open((int)dir);
	if (open > FEW_OPEN)
		room = table_room();
	if (room && room <= 3 * open)
		for (uint64_t fd = 0; fd < room && !direct; fd++)
			direct = is_direct(fd, NULL);
	else
		direct = each_entry((int)dir, is_direct, NULL);
	sys_close((int)dir);
	return direct;
}

static int is_ring(uint64_t fd, void *arg)
{
	struct line path;
	char name[32];
	long bytes;

	(void)arg;
	line_start(&path);
	line_text(&path, "/proc/self/fd/");
	line_u64(&path, fd);
	path.text[path.bytes] = '\0';
	bytes = sys_readlinkat(AT_FDCWD, path.text, name, sizeof(name));
	if (bytes < 0)
		return bytes == -ENOENT ? 0 : (int)bytes;
	return span_starts((struct span){ name, (size_t)bytes },
					"anon_inode:[io_uring]") ? 1 : 0;
}

/* A context of io_submit(2) is a mapping of its own. */
static bool has_aio(void)
{
	struct blob maps = { 0 };
	struct span rest, line;
	bool found = false;

	if (blob_read_file("/proc/self/maps", &maps) != 0)
		return true;
	rest = (struct span){ maps.at, maps.bytes };
	while (!found && span_next_line(&rest, &line)) {
		struct span name = span_trim(line);

		while (span_next_word(&line, &name))
			;
		found = span_starts(name, "/[aio]");
	}
	blob_free(&maps);
	return found;
}

static bool reads(uint64_t call)
{
	switch (call) {
	case SYS_read:
	case SYS_pread64:
	case SYS_readv:
	case SYS_preadv:
	case SYS_preadv2:
		return true;
	default:
		return false;
	}
}

/* It pins while it copies, and hardly ever sleeps. (What the program gives us is no such call: vmwrite.c.) */
static bool copies(uint64_t call)
{
	return call == SYS_process_vm_writev;
}

/* One file of /proc/self/task/N, whole. */
static int read_of_thread(uint64_t thread, const char *name, struct blob *ret_text)
{
	struct line path;

	line_start(&path);
	line_text(&path, "/proc/self/task/");
	line_u64(&path, thread);
	line_text(&path, name);
	path.text[path.bytes] = '\0';
	return blob_read_file(path.text, ret_text);
}

enum seen { SEEN_ELSEWHERE, SEEN_RUNNING, SEEN_READING, SEEN_GONE };

/*
 * A read of up to a mebibyte pins its whole buffer before it starts, all of a huge
 * page in one step: one that sleeps for us to let writers go on has pinned nothing
 * of the page they are held from.
 */
static bool waits_for_us(uint64_t thread, struct span rest)
{
	struct blob text = { 0 };
	struct span word;
	uint64_t bytes;
	bool waits;

	if (!span_next_word(&rest, &word) || !span_next_word(&rest, &word) ||
	    text_hex(word, &bytes) != 0 || bytes > ONE_PIN)
		return false;
	if (read_of_thread(thread, "/wchan", &text) != 0)
		return false;
	waits = span_equal((struct span){ text.at, text.bytes }, "handle_userfault");
	blob_free(&text);
	return waits;
}

/* "NUMBER ARGUMENT ..." of a call it sleeps in, "-1 ..." of a fault, or "running". */
static enum seen look_at(uint64_t thread)
{
	struct blob text = { 0 };
	struct span rest, word;
	enum seen seen = SEEN_ELSEWHERE;
	uint64_t call = 0, fd;
	int err = read_of_thread(thread, "/syscall", &text);

	if (err)
		return err == -ENOENT || err == -ESRCH ? SEEN_GONE : SEEN_READING;
	rest = (struct span){ text.at, text.bytes };
	if (!span_next_word(&rest, &word) || span_equal(word, "running"))
		seen = SEEN_RUNNING;
	else if (text_u64(word, &call) == 0 && copies(call))
		seen = SEEN_READING;
	else if (text_u64(word, &call) == 0 && reads(call) && span_next_word(&rest, &word))
		seen = text_hex(word, &fd) == 0 && !is_direct(fd, NULL) ? SEEN_ELSEWHERE :
									  SEEN_READING;
	if (seen == SEEN_READING && (call == SYS_read || call == SYS_pread64) &&
	    waits_for_us(thread, rest))
		seen = SEEN_ELSEWHERE;
	blob_free(&text);
	return seen;
}

/* Nanoseconds it has been on a processor, and how often it came onto one; 0: nobody says. */
struct ran {
	uint64_t ns, times;
};

static struct ran ran(uint64_t thread)
{
	struct blob text = { 0 };
	struct span rest, word;
	struct ran r = { 0 };
	uint64_t waited;

	if (read_of_thread(thread, "/schedstat", &text) != 0)
		return r;
	rest = (struct span){ text.at, text.bytes };
	if (!span_next_word(&rest, &word) || text_u64(word, &r.ns) != 0 ||
	    !span_next_word(&rest, &word) || text_u64(word, &waited) != 0 ||
	    !span_next_word(&rest, &word) || text_u64(word, &r.times) != 0)
		r = (struct ran){ 0 };
	blob_free(&text);
	return r;
}

/*
 * Waits until @thread has been outside a direct read once: asleep somewhere else,
 * or running for longer than it takes to start one (it would sleep then), or in a
 * later read (a read sleeps once, until all of it is done).
 */
static int settle_thread(uint64_t thread, void *arg)
{
	const uint64_t until = *(const uint64_t *)arg;
	const struct ran before = ran(thread);

	if (thread == (uint64_t)sys_gettid())
		return 0;
	for (;;) {
		enum seen seen = look_at(thread);
		struct ran now = ran(thread);

		if (seen == SEEN_ELSEWHERE || seen == SEEN_GONE)
			return 0;
		if (seen == SEEN_RUNNING && before.ns && now.ns - before.ns > STARTS_WITHIN_NS)
			return 0;
		if (seen == SEEN_READING && before.times && now.times >= before.times + 2)
			return 0;
		if (sys_now_ns() >= until)
			return -EBUSY;
		sys_sleep_ns(NAP_NS);
	}
}

static int remembered;	/* written before the door is narrow */

void inflight_remember(void)
{
	remembered = any_direct() == 0 ? 0 : -EBUSY;
}

static int settle(void)
{
	uint64_t until = sys_now_ns() + INFLIGHT_PATIENCE_NS;
	int direct = any_direct();

	if (direct == 0 || direct == -EMFILE)
		return direct;
	if (direct < 0 || each_number("/proc/self/fd", is_ring, NULL) != 0 || has_aio())
		return -EBUSY;
	return each_number("/proc/self/task", settle_thread, &until) == 0 ? 0 : -EBUSY;
}

static void settle_apart(void *arg)
{
	*(int *)arg = settle();
}

int inflight_settle(void)
{
	int err = door_is_narrow() ? remembered : settle(), *apart;

	if (err != -EMFILE)
		return err;
	apart = mem_pages(sizeof(*apart));
	if (apart && apart_run(settle_apart, apart) == 0)
		err = *apart;
	if (apart)
		mem_pages_free(apart, sizeof(*apart));
	return err == 0 ? 0 : -EBUSY;
}

bool inflight_matters(int fd)
{
	return is_direct((uint64_t)fd, NULL) != 0 || is_ring((uint64_t)fd, NULL) != 0;
}
