/* SPDX-License-Identifier: MIT */
/*
 * harness.h - what a C test says; docs/TESTING.md says how
 *
 * A test is a sentence: TEST(subject_condition_outcome) { ... }. It registers
 * itself, runs forked and alone (libcheck forks it), with its own timeout, and is
 * failed if it leaves a descriptor open or a pool page in use. What it changed
 * outside itself through undo.h, pool.h, cgroup.h is put back by its parent, even
 * if it was killed.
 *
 * EXPECT_x prints both values and goes on; REQUIRE_x ends the test. Both count
 * when they fail in a child the test forked. All macros evaluate arguments once.
 */
#ifndef HRESV_TESTS_HARNESS_H
#define HRESV_TESTS_HARNESS_H

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef KIB
#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#endif

enum { HARNESS_TIMEOUT_SECS = 60 };

struct harness_test {
	const char *name;
	void (*run)(void);
	int line;
	unsigned timeout_secs;
	int death_signal;		/* the signal it must die of, or 0 */
	bool must_fail;
	struct harness_test *next;	/* the harness's own */
};

/* Must pass. */
#define TEST(name) HARNESS_TEST(name, .timeout_secs = HARNESS_TIMEOUT_SECS)
/* Must pass within @secs. */
#define TEST_TIMEOUT(name, secs) HARNESS_TEST(name, .timeout_secs = (secs))
/* Must die of @signal: a control, as SIGBUS without us. */
#define TEST_SIGNAL(name, signal) \
	HARNESS_TEST(name, .timeout_secs = HARNESS_TIMEOUT_SECS, .death_signal = (signal))
/* Must fail: a test of the harness, or a control. */
#define FAIL_TEST(name) \
	HARNESS_TEST(name, .timeout_secs = HARNESS_TIMEOUT_SECS, .must_fail = true)
/* Must fail by running longer than @secs. */
#define FAIL_TEST_TIMEOUT(name, secs) \
	HARNESS_TEST(name, .timeout_secs = (secs), .must_fail = true)

/* Ends the test as skipped. Name what is missing: SKIP("4 huge pages of 2 MiB"). */
#define SKIP(...) harness_skip(__VA_ARGS__)
/* Ends the test as failed. */
#define FAIL(...) harness_fail(__FILE__, __LINE__, __VA_ARGS__)

/* Integers of any type and sign compare as numbers; pointers as addresses. */
#define EXPECT_EQ(a, b) HARNESS_COMPARE(false, #a, a, "==", #b, b)
#define EXPECT_NE(a, b) HARNESS_COMPARE(false, #a, a, "!=", #b, b)
#define EXPECT_LT(a, b) HARNESS_COMPARE(false, #a, a, "<", #b, b)
#define EXPECT_LE(a, b) HARNESS_COMPARE(false, #a, a, "<=", #b, b)
#define EXPECT_GT(a, b) HARNESS_COMPARE(false, #a, a, ">", #b, b)
#define EXPECT_GE(a, b) HARNESS_COMPARE(false, #a, a, ">=", #b, b)
#define EXPECT_TRUE(a) HARNESS_TRUTH(false, #a, a, true)
#define EXPECT_FALSE(a) HARNESS_TRUTH(false, #a, a, false)
#define EXPECT_STR_EQ(a, b) HARNESS_STRINGS(false, #a, a, #b, b, true)
#define EXPECT_CONTAINS(text, part) HARNESS_STRINGS(false, #text, text, #part, part, false)

#define REQUIRE_EQ(a, b) HARNESS_COMPARE(true, #a, a, "==", #b, b)
#define REQUIRE_NE(a, b) HARNESS_COMPARE(true, #a, a, "!=", #b, b)
#define REQUIRE_LT(a, b) HARNESS_COMPARE(true, #a, a, "<", #b, b)
#define REQUIRE_GE(a, b) HARNESS_COMPARE(true, #a, a, ">=", #b, b)
#define REQUIRE_TRUE(a) HARNESS_TRUTH(true, #a, a, true)
#define REQUIRE_STR_EQ(a, b) HARNESS_STRINGS(true, #a, a, #b, b, true)

/* A file of the build, "libhresv.so" or "tests/preload/prog-x"; static storage. */
const char *harness_build_path(const char *file);

/* Behind the macros --------------------------------------------------------- */

struct harness_value {
	uint64_t bits;
	enum { HARNESS_SIGNED, HARNESS_UNSIGNED, HARNESS_POINTER } kind;
};

struct harness_where {
	const char *file;
	int line;
	const char *left, *op, *right;
	bool ends_test;
};

static inline struct harness_value harness_signed(intmax_t v)
{
	return (struct harness_value){ (uint64_t)v, HARNESS_SIGNED };
}

static inline struct harness_value harness_unsigned(uintmax_t v)
{
	return (struct harness_value){ v, HARNESS_UNSIGNED };
}

static inline struct harness_value harness_pointer(const volatile void *v)
{
	return (struct harness_value){ (uintptr_t)v, HARNESS_POINTER };
}

#define HARNESS_VALUE(x)                                                                     \
	_Generic((x), _Bool: harness_unsigned, char: harness_signed,                         \
		 signed char: harness_signed, unsigned char: harness_unsigned,               \
		 short: harness_signed, unsigned short: harness_unsigned,                    \
		 int: harness_signed, unsigned int: harness_unsigned,                        \
		 long: harness_signed, unsigned long: harness_unsigned,                      \
		 long long: harness_signed, unsigned long long: harness_unsigned,            \
		 default: harness_pointer)(x)

/* The texts are made one macro up, where the arguments are not yet expanded. */
#define HARNESS_COMPARE(ends, left, a, op, right, b)                                         \
	harness_compare(&(struct harness_where){ __FILE__, __LINE__, left, op, right, ends },\
			HARNESS_VALUE(a), HARNESS_VALUE(b))
#define HARNESS_TRUTH(ends, left, a, want)                                                   \
	harness_truth(&(struct harness_where){ __FILE__, __LINE__, left, "is", #want, ends },\
		      !!(a), want)
#define HARNESS_STRINGS(ends, left, a, right, b, whole)                                      \
	harness_strings(&(struct harness_where){ __FILE__, __LINE__, left,                   \
						 (whole) ? "==" : "contains", right, ends }, \
			a, b, whole)

#define HARNESS_TEST(test_name, ...)                                                         \
	static void test_name(void);                                                         \
	static struct harness_test harness_test_##test_name = {                              \
		.name = #test_name, .run = test_name, .line = __LINE__, __VA_ARGS__          \
	};                                                                                   \
	__attribute__((constructor)) static void harness_add_##test_name(void)               \
	{                                                                                    \
		harness_register(&harness_test_##test_name);                                 \
	}                                                                                    \
	static void test_name(void)

void harness_register(struct harness_test *test);
void harness_compare(const struct harness_where *where, struct harness_value a,
		     struct harness_value b);
void harness_truth(const struct harness_where *where, bool is, bool want);
void harness_strings(const struct harness_where *where, const char *text, const char *other,
		     bool whole);
__attribute__((noreturn, format(printf, 1, 2))) void harness_skip(const char *need, ...);
__attribute__((noreturn, format(printf, 3, 4))) void harness_fail(const char *file, int line,
								   const char *why, ...);

#endif
