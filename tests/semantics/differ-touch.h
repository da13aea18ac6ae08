/* SPDX-License-Identifier: MIT */
/*
 * differ-touch.h - loads and stores whose faults are part of the result
 *
 * Included once, by prog-differ.c: programs of the tests are one file each.
 */
#ifndef HRESV_TESTS_SEMANTICS_DIFFER_TOUCH_H
#define HRESV_TESTS_SEMANTICS_DIFFER_TOUCH_H

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/semantics/differ.h"

/* Long enough for the call and the values that make up its hash. */
#define NOTE_BYTES 400
#define WORDS (PAGE / sizeof(uint64_t))

_Thread_local struct self *self;

static void on_fault(int signal, siginfo_t *info, void *context)
{
	struct self *s = self;

	(void)context;
	if (!s || !s->armed) {
		static const char said[] = "prog-differ: a fault where none was expected\n";

		if (write(2, said, sizeof(said) - 1) < 0 || true)
			_exit(70);
	}
	s->armed = false;
	s->fault_signal = signal;
	s->fault_code = info->si_code;
	s->fault_at = (uintptr_t)info->si_addr;
	siglongjmp(s->jump, 1);
}

static inline void touch_start(void)
{
	struct sigaction how = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };

	sigaction(SIGSEGV, &how, NULL);
	sigaction(SIGBUS, &how, NULL);
}

static inline uint64_t mixed(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 29;
}

static inline void touch_add(struct self *s, uint64_t value)
{
	s->record->hash = mixed(s->record->hash, value);
	if (s->note && strlen(s->note) + 20 < NOTE_BYTES)
		sprintf(s->note + strlen(s->note), " %llx", (unsigned long long)value);
}

static uint64_t hash_words(const volatile uint64_t *at)
{
	uint64_t hash = 0;

	for (size_t i = 0; i < WORDS; i++)
		hash = mixed(hash, at[i]);
	return hash;
}

static inline bool touch_hash(struct self *s, size_t page, uint64_t *ret_hash)
{
	if (sigsetjmp(s->jump, 0))
		return false;
	s->armed = true;
	*ret_hash = hash_words(page_at(page));
	s->armed = false;
	return true;
}

static __attribute__((noinline)) void fill_words(volatile uint64_t *at, uint64_t key)
{
	for (size_t i = 0; i < WORDS; i++)
		at[i] = key + i;
}

static inline bool touch_fill(struct self *s, size_t page, uint64_t key)
{
	if (sigsetjmp(s->jump, 0))
		return false;
	s->armed = true;
	fill_words(page_at(page), key);
	s->armed = false;
	return true;
}

static inline bool touch_word(struct self *s, size_t page, size_t word, uint64_t value)
{
	volatile uint64_t *at = page_at(page);

	if (sigsetjmp(s->jump, 0))
		return false;
	s->armed = true;
	at[word] = value;
	s->armed = false;
	return true;
}

static void add_fault(struct self *s)
{
	touch_add(s, (uint64_t)s->fault_signal << 32 | (uint32_t)s->fault_code);
	touch_add(s, s->fault_at - ARENA_AT);
}

static uint64_t hash_of_zeros(void)
{
	static const uint64_t zeros[WORDS];
	static uint64_t hash;

	if (!hash)
		hash = hash_words(zeros);
	return hash;
}

static inline void touch_look(struct self *s, size_t page)
{
	uint64_t hash;

	if (!touch_hash(s, page, &hash))
		add_fault(s);
	else if (!pages[page].loose)
		touch_add(s, hash);
	else
		touch_add(s, hash == hash_of_zeros() || hash == pages[page].old_hash);
}

static inline void touch_ends(struct self *s, size_t page, size_t n)
{
	const size_t at[] = { page - 1, page, page + n / 2, page + n - 1, page + n };

	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++)
		if (at[i] >= s->lo && at[i] < s->hi)
			touch_look(s, at[i]);
}

static inline void touch_settle(struct self *s, size_t page, size_t n)
{
	for (size_t i = page; i < page + n; i++)
		if (pages[i].loose && touch_fill(s, i, i))
			pages[i].loose = false;
}

#endif
