/* SPDX-License-Identifier: MIT */
/*
 * The net on stacks: on one that itself lies on the page without a copy, with an
 * alternate one no larger than libc says is enough, and inside the program's handlers.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "tests/fork/net.h"
#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/pool.h"
#include "tests/harness/program.h"

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

/*
 * As languages make it: 8 KiB, and more only where the kernel's own frame is large.
 * With nothing mapped below it: what needs more room than it has faults there.
 */
static void alternate_stack(size_t least)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const size_t frame = getauxval(AT_MINSIGSTKSZ), room = least + (frame > 4096 ? frame : 0);
	const size_t bytes = (room + page - 1) / page * page;
	char *at = mmap(NULL, page + bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	REQUIRE_NE(at, MAP_FAILED);
	REQUIRE_EQ(mprotect(at + page, bytes, RW), 0);
	EXPECT_EQ(sigaltstack(&(stack_t){ .ss_sp = at + page, .ss_size = bytes }, NULL), 0);
}

static __attribute__((noinline)) int deeper(int n)
{
	volatile unsigned char room[4096];
	int right;

	for (size_t i = 0; i < sizeof(room); i++)
		room[i] = (unsigned char)n;
	right = n ? deeper(n - 1) : 0;
	return right + (n && room[17] == (unsigned char)n);	/* its frame stays meanwhile */
}

static ucontext_t here, there;
static int depth;

static void run_on_it(void)
{
	depth = deeper(700);	/* two pages of it */
}

/* As coroutines do: the stack is the program's own memory, the thread is not. */
PROGRAM(has_its_stack_on_a_shared_page)
{
	char *at = map(BYTES, MAP_PRIVATE);
	int stop[2];
	pid_t pid;

	memset(at, 1, BYTES);
	alternate_stack(8192);
	pid = keeper(stop);
	REQUIRE_EQ(getcontext(&there), 0);
	there.uc_stack = (stack_t){ .ss_sp = at, .ss_size = BYTES };
	there.uc_link = &here;
	makecontext(&there, run_on_it, 0);
	REQUIRE_EQ(swapcontext(&here, &there), 0);
	EXPECT_EQ(depth, 700);
	EXPECT_EQ(at[0], 1);
	EXPECT_EQ(huge_in(at, BYTES), BYTES - 2 * PAGE);
	end_keeper(stop, pid);
}

TEST(net_mends_the_page_a_stack_lies_on_from_a_small_alternate_stack)
{
	pool_set(PAGE, PAGES);
	run_with_us("has_its_stack_on_a_shared_page", "HUGETLB_FORK=share");
}

TEST(copying_mends_the_page_a_stack_lies_on)
{
	pool_set(PAGE, PAGES);
	run_with_us("has_its_stack_on_a_shared_page");
}

/* The program's own handler, of a bus error of its own, writes to what needs the net. */
static char *for_handler;
static char *own_error;

static void write_and_mend(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	memset(for_handler, 9, BYTES);
	seen.calls++;
	seen.info = *info;
	siglongjmp(seen.back, 1);
}

PROGRAM(writes_in_its_bus_handler)
{
	struct sigaction action = { .sa_sigaction = write_and_mend, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	int stop[2];
	pid_t pid;

	own_error = truncated();
	alternate_stack(16384);
	sigfillset(&action.sa_mask);
	sigaction(SIGBUS, &action, NULL);
	for_handler = shared_with_a_child(stop, &pid);
	if (sigsetjmp(seen.back, 1) == 0)
		own_error[0] = 1;
	EXPECT_EQ(seen.calls, 1);
	EXPECT_EQ(seen.info.si_addr, own_error);
	EXPECT_EQ(for_handler[0], 9);
	EXPECT_EQ(for_handler[BYTES - 1], 9);
	end_keeper(stop, pid);
}

TEST(net_works_inside_the_programs_own_bus_handler)
{
	pool_set(PAGE, PAGES);
	run_with_us("writes_in_its_bus_handler", "HUGETLB_FORK=share");
}
