import Testing
import TraceFiles
import TraceModel
import TraceWAL

@Suite struct WALCrashTests {
  /// Opens, writes, rotates, trims and opens again. Tells which frames were acknowledged and what was trimmed.
  private func workload(_ fileSystem: SimulatedFileSystem) -> (acknowledged: [Int], trimmedBelow: UInt64) {
    var acknowledged: [Int] = []
    var trimmedBelow: UInt64 = 1
    do {
      for round in 0..<3 {
        let report = try recover(fileSystem, from: trimmedBelow).report
        let writer = try WALWriter(
          fileSystem: fileSystem, directory: directory, storeID: storeID, after: report)
        for step in 0..<3 {
          let index = round * 3 + step + 1
          // The payload names its own sequence, so that recovery can be checked.
          let sequence = try writer.appendAndWait(frame(index, byteCount: step == 1 ? 700 : 40))
          #expect(sequence == UInt64(index))
          acknowledged.append(index)
        }
        if round < 2 {
          let closed = try #require(try writer.rotate())
          trimmedBelow = closed.lastSequence
          try writer.trim(below: trimmedBelow)
        }
        try writer.close()
      }
    } catch {}
    return (acknowledged, trimmedBelow)
  }

  @Test func aCrashAtEveryCallKeepsWhatWasAcknowledgedAndInventsNothing() throws {
    let complete = SimulatedFileSystem()
    #expect(workload(complete).acknowledged == Array(1...9))
    let callCount = complete.operationCount
    #expect(callCount > 80)
    for call in 0..<callCount {
      let machine = SimulatedFileSystem()
      machine.halt(afterOperations: call)
      let (acknowledged, trimmedBelow) = workload(machine)
      for policy in CrashPolicy.allCases {
        for seed in UInt64(0)..<(policy == .randomSubset || policy == .tornLastWrite ? 6 : 1) {
          let after = machine.crashClone(keeping: policy, seed: seed)
          let place: Comment = "crash at call \(call), \(policy), seed \(seed)"
          let recovered = try recover(after, from: trimmedBelow)
          for (payload, sequence) in zip(recovered.payloads, recovered.sequences) {
            #expect(payload == frame(sequence), place)
          }
          let needed = acknowledged.filter { UInt64($0) >= trimmedBelow }.map { UInt64($0) }
          #expect(recovered.sequences.starts(with: needed), place)
          #expect(recovered.sequences.count <= needed.count + 1, place)
          #expect(!recovered.report.gaps.contains { $0.isDamage }, place)
          let again = try recover(after, from: trimmedBelow)
          #expect(again.sequences == recovered.sequences && again.report.tail == nil, place)
          let writer = try WALWriter(
            fileSystem: after, directory: directory, storeID: storeID, after: again.report)
          let next = try writer.appendAndWait(WALFrame(kind: .request, payload: [1], arrivalNanoseconds: 0))
          try writer.close()
          #expect(try recover(after, from: trimmedBelow).sequences == recovered.sequences + [next], place)
        }
      }
    }
  }

  private func frame(_ sequence: UInt64) -> [UInt8] {
    payload(Int(sequence), byteCount: (sequence - 1) % 3 == 1 ? 700 : 40)
  }

  private func frame(_ index: Int, byteCount: Int) throws -> WALFrame {
    try WALFrame(kind: .request, payload: payload(index, byteCount: byteCount), arrivalNanoseconds: 0)
  }

  @Test func aCrashDuringRecoveryLosesNothing() throws {
    let machine = SimulatedFileSystem()
    let writer = try openWriter(machine)
    for index in 1...4 { try writer.appendAndWait(frame(index, byteCount: 700)) }
    machine.halt(afterOperations: 1)
    _ = try? writer.appendAndWait(frame(5, byteCount: 3000))
    for outer in UInt64(0)..<8 {
      let crashed = machine.crashClone(keeping: .tornLastWrite, seed: outer)
      for call in 0..<30 {
        let second = crashed.crashClone(keeping: .keepAll)
        second.halt(afterOperations: call)
        _ = try? openWriter(second)
        for policy in CrashPolicy.allCases {
          let recovered = try recover(second.crashClone(keeping: policy, seed: outer))
          #expect(recovered.sequences == [1, 2, 3, 4], "seed \(outer), call \(call), \(policy)")
          #expect(recovered.report.gaps.isEmpty)
        }
      }
    }
  }

  @Test func groupsOfFramesInASlowerModeNeverComeBackMixed() throws {
    let seed = UInt64.random(in: .min ... .max)
    for round in UInt64(0)..<60 {
      let machine = SimulatedFileSystem()
      let writer = try openWriter(machine, .none)
      for index in 1...12 {
        try writer.appendAndWait(frame(index, byteCount: 100 + index * 37))
        if index == 5 { try writer.sync() }
      }
      let recovered = try recover(machine.crashClone(keeping: .randomSubset, seed: seed &+ round))
      #expect(recovered.sequences.starts(with: [1, 2, 3, 4, 5]), "seed \(seed &+ round)")
      for (bytes, sequence) in zip(recovered.payloads, recovered.sequences) {
        #expect(bytes == payload(Int(sequence), byteCount: 100 + Int(sequence) * 37), "seed \(seed &+ round)")
      }
      #expect(!recovered.report.gaps.contains { $0.isDamage }, "seed \(seed &+ round)")
    }
  }

  @Test func everyInjectedErrorIsReportedAndTheLogOpensAgain() throws {
    let complete = SimulatedFileSystem()
    _ = workload(complete)
    for call in 0..<complete.operationCount {
      for isSticky in [false, true] {
        for number in [Fault.inputOutput, Fault.noSpace, Fault.tooManyOpenFiles] {
          let machine = SimulatedFileSystem()
          machine.inject(Fault(skippedCount: call, errorNumber: number, isSticky: isSticky, appliedByteCount: 30))
          let (acknowledged, trimmedBelow) = workload(machine)
          machine.clearFaults()
          let recovered = try recover(machine.crashClone(keeping: .loseUnsynced), from: trimmedBelow)
          let needed = acknowledged.filter { UInt64($0) >= trimmedBelow }.map { UInt64($0) }
          #expect(recovered.sequences.starts(with: needed), "errno \(number) at call \(call), sticky \(isSticky)")
        }
      }
    }
  }
}
