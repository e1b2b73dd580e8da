-- For wrk: every response is judged by its status and its bytes, and the sums are printed.
-- With an argument each request posts a body of so many lines, and wants it back.

local threads = {}

function setup(thread)
   table.insert(threads, thread)
end

function init(args)
   right = 0
   wrong = 0
   expected = "hello, world\n"
   if args[1] then
      local lines = {}
      for number = 1, tonumber(args[1]) do
         lines[number] = string.format("line %d of a body\n", number)
      end
      expected = table.concat(lines)
      wrk.method = "POST"
      wrk.body = expected
   end
end

function response(status, headers, body)
   if status == 200 and body == expected then
      right = right + 1
   else
      wrong = wrong + 1
   end
end

function done(summary, latency, requests)
   local sum = { right = 0, wrong = 0 }
   for _, thread in ipairs(threads) do
      sum.right = sum.right + thread:get("right")
      sum.wrong = sum.wrong + thread:get("wrong")
   end
   local e = summary.errors
   local errors = e.connect + e.read + e.write + e.timeout + e.status
   io.write(string.format("right %d, wrong %d, errors %d\n", sum.right, sum.wrong, errors))
end
