// SPDX-License-Identifier: MIT
//
// pmr.cc - huge pages behind std::pmr containers
//
//	c++ -std=c++17 pmr.cc $(pkg-config --cflags --libs hresv) && ./a.out
//
// A monotonic or pool resource takes large blocks from this one and cuts them up.
#include <hresv.h>

#include <cstdio>
#include <memory_resource>
#include <new>
#include <string>
#include <vector>

class huge_resource : public std::pmr::memory_resource {
	void *do_allocate(std::size_t bytes, std::size_t align) override
	{
		hresv_want want = {};
		void *at = nullptr;

		want.bytes = bytes;
		// Memory of ours starts on a huge page's line, or a base page's.
		if (align > 4096 || hresv_alloc(&want, &at, nullptr) != 0)
			throw std::bad_alloc();
		return at;
	}
	void do_deallocate(void *at, std::size_t bytes, std::size_t) override
	{
		hresv_free(at, (bytes + 4095) / 4096 * 4096);
	}
	bool do_is_equal(const memory_resource &other) const noexcept override
	{
		return this == &other;
	}
};

int main()
{
	huge_resource huge;
	std::pmr::monotonic_buffer_resource arena(16 << 20, &huge);
	std::pmr::vector<std::pmr::string> words(&arena);

	for (int i = 0; i < 100000; i++)
		words.emplace_back("a word that is too long to be stored in place");
	std::printf("%zu words, %s\n", words.size(),
		    hresv_huge_bytes(words.back().data(), 1) ? "huge" : "small");
	return words.front() == words.back() ? 0 : 1;
}
