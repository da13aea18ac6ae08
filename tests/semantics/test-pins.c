/* SPDX-License-Identifier: MIT */
/*
 * Memory that the kernel holds for I/O (registered buffers of io_uring) stays where it
 * is: what is done to other parts of its huge page may not take the page away.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/pool.h"
#include "tests/harness/program.h"

#define PAGE (2 * MIB)
#define RW (PROT_READ | PROT_WRITE)
#define REGISTER_BUFFERS 0
#define UNREGISTER_BUFFERS 1

/* Looked at by nobody: room for the structure of io_uring_setup(2). */
static unsigned char params[120];

static char *map_huge(void)
{
	char *at = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	REQUIRE_NE(at, MAP_FAILED);
	REQUIRE_EQ(huge_in(at, 2 * PAGE), 2 * PAGE);
	return at;
}

static int hold(char *at, size_t bytes)
{
	struct iovec buffer = { at, bytes };
	int ring = (int)syscall(SYS_io_uring_setup, 4, params);

	REQUIRE_GE(ring, 0);
	REQUIRE_EQ(syscall(SYS_io_uring_register, ring, REGISTER_BUFFERS, &buffer, 1), 0);
	return ring;
}

static void need_rings(void)
{
	int ring = (int)syscall(SYS_io_uring_setup, 4, params);

	if (ring < 0)
		SKIP("io_uring");
	close(ring);
}

/* Gone at once; closing the ring alone lets go of them some time later. */
static void let_go(int ring)
{
	EXPECT_EQ(syscall(SYS_io_uring_register, ring, UNREGISTER_BUFFERS, NULL, 0), 0);
	close(ring);
}

/* All of the page is zero once the part is, the buffer too: nothing was read into it yet. */
PROGRAM(discards_beside_a_registered_buffer)
{
	char *at = map_huge();
	int ring = hold(at, 4096);

	at[PAGE / 2] = 1;
	EXPECT_EQ(madvise(at + PAGE / 2, PAGE / 4, MADV_DONTNEED), 0);
	EXPECT_EQ(at[PAGE / 2], 0);
	EXPECT_EQ(huge_in(at, 2 * PAGE), 2 * PAGE);
	let_go(ring);
	EXPECT_EQ(madvise(at + PAGE / 2, PAGE / 4, MADV_DONTNEED), 0);
	EXPECT_EQ(huge_in(at, 2 * PAGE), PAGE);
	EXPECT_EQ(munmap(at, 2 * PAGE), 0);
}

TEST(page_of_a_registered_buffer_stays_when_another_part_is_discarded)
{
	need_rings();
	pool_set(PAGE, 2);
	run_with_us("discards_beside_a_registered_buffer");
}

/* Refused while the buffer is there, as documented, each time; then it works. */
PROGRAM(protects_beside_a_registered_buffer)
{
	char *at = map_huge();
	int ring = hold(at, 4096);

	memset(at, 5, PAGE);
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(mprotect(at + PAGE / 2, 4096, PROT_READ), -1);
		EXPECT_EQ(errno, ENOMEM);
		at[PAGE / 2]++;
	}
	EXPECT_EQ(huge_in(at, 2 * PAGE), 2 * PAGE);
	let_go(ring);
	EXPECT_EQ(mprotect(at + PAGE / 2, 4096, PROT_READ), 0);
	EXPECT_EQ(at[PAGE / 2], 8);
	EXPECT_EQ(huge_in(at, 2 * PAGE), PAGE);
	EXPECT_EQ(munmap(at, 2 * PAGE), 0);
}

TEST(page_of_a_registered_buffer_is_split_when_the_buffer_is_gone)
{
	need_rings();
	pool_set(PAGE, 2);
	run_with_us("protects_beside_a_registered_buffer");
}
