import CoreGraphics
import Foundation
import TensorFlowLite

/// Paints photographs with style.tflite from the app's bundle. Not thread-safe.
final class Stylizer {
    static let width = 512
    static let height = 384
    static let styles = [
        "starry_night", "the_scream", "great_wave", "composition_vii",
        "delaunay_portrait", "udnie",
        "cafe_terrace", "port_en_bessin", "joy_of_life",
        "composition_viii", "woman_with_phlox", "exotic_landscape",
    ]

    private let interpreter: Interpreter
    private let image: Int
    private let style: Int

    init() throws {
        let path = Bundle.main.path(forResource: "style", ofType: "tflite")!
        interpreter = try Interpreter(modelPath: path, delegates: [MetalDelegate()])
        try interpreter.allocateTensors()
        // Their order is the file's, so they are told apart by their shape.
        let ranks = try (0..<2).map { try interpreter.input(at: $0).shape.rank }
        image = ranks.firstIndex(of: 4)!
        style = ranks.firstIndex(of: 2)!
    }

    /// Returns the photograph, cut to the model's shape, in a style; `strength` 0 is the
    /// photograph, 1 the style as trained, 1.5 bolder.
    func paint(_ photo: CGImage, style name: String, strength: Float = 1) throws -> CGImage {
        var weights = [Float](repeating: 0, count: Self.styles.count + 1)
        weights[0] = 1 - strength
        weights[1 + Self.styles.firstIndex(of: name)!] = strength
        return try paint(photo, weights: weights)
    }

    /// Returns the photograph, cut to the model's shape. `weights` is the model's input
    /// `style`: with the file for any painting the share 0, then the vector that
    /// any-encoder.tflite made of the painting, once.
    func paint(_ photo: CGImage, weights: [Float]) throws -> CGImage {
        let (width, height) = (Self.width, Self.height)
        let context = Self.context()
        context.interpolationQuality = .high
        let scale = max(
            CGFloat(width) / CGFloat(photo.width), CGFloat(height) / CGFloat(photo.height))
        let size = CGSize(
            width: scale * CGFloat(photo.width), height: scale * CGFloat(photo.height))
        let origin = CGPoint(
            x: (CGFloat(width) - size.width) / 2, y: (CGFloat(height) - size.height) / 2)
        context.draw(photo, in: CGRect(origin: origin, size: size))
        let bytes = context.data!.assumingMemoryBound(to: UInt8.self)
        var pixels = [Float](repeating: 0, count: 3 * width * height)
        for i in 0..<width * height {
            for channel in 0..<3 {
                pixels[3 * i + channel] = Float(bytes[4 * i + channel]) / 255
            }
        }
        try interpreter.copy(pixels.withUnsafeBytes { Data($0) }, toInputAt: image)
        try interpreter.copy(weights.withUnsafeBytes { Data($0) }, toInputAt: style)
        try interpreter.invoke()
        try interpreter.output(at: 0).data.withUnsafeBytes { (raw: UnsafeRawBufferPointer) in
            let picture = raw.bindMemory(to: Float.self)
            for i in 0..<width * height {
                for channel in 0..<3 {
                    let value = min(max(picture[3 * i + channel], 0), 1)
                    bytes[4 * i + channel] = UInt8((255 * value).rounded())
                }
                bytes[4 * i + 3] = 255
            }
        }
        return context.makeImage()!
    }

    /// Four bytes a pixel: red, green, blue, nothing.
    private static func context() -> CGContext {
        CGContext(
            data: nil, width: width, height: height, bitsPerComponent: 8,
            bytesPerRow: 4 * width, space: CGColorSpace(name: CGColorSpace.sRGB)!,
            bitmapInfo: CGImageAlphaInfo.noneSkipLast.rawValue)!
    }
}
